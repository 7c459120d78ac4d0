// The broker runs in this very process, so that signals and the exit code are its own.
import { prepare } from './prepare.mjs'

prepare()
process.argv.splice(2, 0, 'start')
await import('../dist/main.js')
