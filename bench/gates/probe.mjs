import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const inside = new URL('./probe-inside.mjs', import.meta.url).href

/**
 * @typedef {object} Reading
 * @property {number} stallMaxMs longest time that the event loop stood still since the reading before
 * @property {number} stallP99Ms
 * @property {number} heapUsed bytes
 * @property {number} external bytes
 * @property {number} arrayBuffers bytes
 * @property {number} rss bytes
 * @property {Record<string, number>} resources timers and handles that keep the process alive, by kind
 */

/** The way to the figures of a broker's process. */
export class Probe {
  #folder = mkdtempSync(join(tmpdir(), 'sluice-probe-'))
  #file = join(this.#folder, 'figures')
  #number = 0

  /** Flags and environment with which the broker has to be started. */
  get flags() {
    return ['--expose-gc', '--import', inside]
  }

  get environment() {
    return { SLUICE_BENCH_PROBE: this.#file }
  }

  /** @param {number} pid @param {{ collect?: boolean }} [options] `collect`: after a garbage collection @returns {Promise<Reading>} */
  async read(pid, { collect = false } = {}) {
    const number = ++this.#number
    writeFileSync(`${this.#file}.ask`, JSON.stringify({ number, collect }))
    process.kill(pid, 'SIGUSR2')
    for (const endMs = performance.now() + 60_000; performance.now() < endMs; ) {
      await new Promise((next) => setTimeout(next, 5))
      try {
        const reading = JSON.parse(readFileSync(this.#file, 'utf8'))
        if (reading.number === number) return reading
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error
      }
    }
    throw new Error('the broker did not tell its figures within a minute')
  }

  remove() {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
