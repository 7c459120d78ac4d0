// The load generator's process: one job as JSON in the first argument, one line of JSON as the result.
const kinds = new Map(
  Object.entries({
    traffic: async () => (await import('./traffic.mjs')).traffic,
    backlog: async () => (await import('./backlog.mjs')).backlog,
    idle: async () => (await import('./idle.mjs')).idle,
    sustained: async () => (await import('./sustained.mjs')).sustained,
    fill: async () => (await import('./fill.mjs')).fill,
    drain: async () => (await import('./drain.mjs')).drain,
    leftovers: async () => (await import('./drain.mjs')).leftovers,
    'settle-fleet': async () => (await import('./fleet.mjs')).settleFleet,
    'return-fleet': async () => (await import('./fleet.mjs')).returnFleet,
    connections: async () => (await import('./connections.mjs')).connections,
    hoard: async () => (await import('./slow-link.mjs')).hoard,
    'slow-link': async () => (await import('./slow-link.mjs')).slowLink,
    soak: async () => (await import('./soak.mjs')).soak,
  }),
)
const job = JSON.parse(process.argv[2] ?? '{}')
const kind = kinds.get(job.kind)
if (!kind) throw new Error(`unknown kind of load '${job.kind}'`)
const run = await kind()
console.log(JSON.stringify(await run(job)))
process.exit(0)
