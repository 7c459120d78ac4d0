// The load generator's process: one job as JSON in the first argument, one line of JSON as the result.
import { backlog } from './backlog.mjs'
import { idle } from './idle.mjs'
import { traffic } from './traffic.mjs'

const kinds = new Map(Object.entries({ traffic, backlog, idle }))
const job = JSON.parse(process.argv[2] ?? '{}')
const run = kinds.get(job.kind)
if (!run) throw new Error(`unknown kind of load '${job.kind}'`)
console.log(JSON.stringify(await run(job)))
process.exit(0)
