import { createHistogram } from 'node:perf_hooks'

/**
 * Latencies in microseconds, of every message or of one in 64 (under full load).
 *
 * @typedef {{ histogram: import('node:perf_hooks').RecordableHistogram, sampleMask: number }} Latency
 *
 * @param {boolean} sampled
 * @returns {Latency}
 */
export function latency(sampled) {
  return { histogram: createHistogram({ lowest: 1, highest: 600_000_000, figures: 3 }), sampleMask: sampled ? 63 : 0 }
}

/** @param {Latency} latency @param {number} serial @param {number} ms */
export function recordMs(latency, serial, ms) {
  if ((serial & latency.sampleMask) === 0) latency.histogram.record(Math.max(1, Math.round(ms * 1000)))
}

/** @param {Latency} latency */
export function summary({ histogram }) {
  if (histogram.count === 0) return undefined
  const ms = (/** @type {number} */ percent) => histogram.percentile(percent) / 1000
  return { count: histogram.count, p50Ms: ms(50), p99Ms: ms(99), maxMs: histogram.max / 1000 }
}
