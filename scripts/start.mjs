// The broker runs in this very process, so that signals and the exit code are its own. package.json starts it with
// `exec` because the shell between npm and the broker would die of a signal without passing it on.
import { prepare } from './prepare.mjs'

prepare()
process.argv.splice(2, 0, 'start')
await import('../dist/main.js')
