// Loaded into the broker's process before it (`--import`). At SIGUSR2 it writes what only the process itself knows:
// how long its event loop stood still since the last time, its heap, its timers and handles.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const file = process.env.SLUICE_BENCH_PROBE ?? ''
const resolutionMs = 5
const delay = monitorEventLoopDelay({ resolution: resolutionMs })
delay.enable()

const stalledMs = (/** @type {number} */ ns) => Math.max(0, ns / 1e6 - resolutionMs)
const turn = () => new Promise((next) => setImmediate(next))

async function answer() {
  const { number, collect } = JSON.parse(readFileSync(`${file}.ask`, 'utf8'))
  const stalls = {
    stallMaxMs: delay.count > 0 ? stalledMs(delay.max) : 0,
    stallP99Ms: delay.count > 0 ? stalledMs(delay.percentile(99)) : 0,
  }
  if (collect) {
    // What is only freed by a finalizer needs a second round.
    for (let round = 0; round < 4; round++) {
      globalThis.gc?.()
      await turn()
    }
  }
  const resources = new Map()
  for (const kind of process.getActiveResourcesInfo()) resources.set(kind, (resources.get(kind) ?? 0) + 1)
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
  const figures = { ...stalls, heapUsed, external, arrayBuffers, rss, resources: Object.fromEntries(resources) }
  writeFileSync(`${file}.new`, JSON.stringify({ number, ...figures }))
  renameSync(`${file}.new`, file)
  // This very turn is not the broker's.
  delay.reset()
}

process.on('SIGUSR2', () => void answer())
