import { residentBytes, waitedMs } from '../load/process-figures.mjs'

/** @typedef {{ seconds: number, rssBytes: number, storeBytes: number, stallMaxMs: number }} Sample */

/**
 * Looks at a broker from time to time while a load is on it.
 *
 * @param {import('./broker.mjs').Sluice} sluice
 * @param {number} everySeconds
 */
export function watch(sluice, everySeconds) {
  const { pid } = sluice.running
  const startMs = performance.now()
  /** @type {Sample[]} */
  const samples = []
  const waitedBefore = waitedMs(pid)
  let rssMax = residentBytes(pid)
  let storeMax = 0
  let stopped = false
  const look = async () => {
    const { stallMaxMs } = await sluice.figures()
    const storeBytes = sluice.storeBytes()
    storeMax = Math.max(storeMax, storeBytes)
    samples.push({
      seconds: (performance.now() - startMs) / 1000,
      rssBytes: residentBytes(pid),
      storeBytes,
      stallMaxMs,
    })
  }
  const looking = (async () => {
    for (let ticks = 0; !stopped; ticks++) {
      await new Promise((next) => setTimeout(next, Math.min(everySeconds, 0.25) * 1000))
      rssMax = Math.max(rssMax, residentBytes(pid))
      if (performance.now() - startMs >= (samples.length + 1) * everySeconds * 1000) await look()
    }
  })()
  // Told by `end`; a failure before it must not end the process.
  looking.catch(() => {})
  return {
    /** @returns {Promise<{ samples: Sample[], rssMax: number, storeMax: number, stallMaxMs: number, waitedPercent: number }>} */
    async end() {
      stopped = true
      await looking
      await look()
      const waitedPercent = ((waitedMs(pid) - waitedBefore) / (performance.now() - startMs)) * 100
      return {
        samples,
        rssMax,
        waitedPercent,
        storeMax,
        stallMaxMs: Math.max(...samples.map((sample) => sample.stallMaxMs)),
      }
    },
  }
}
