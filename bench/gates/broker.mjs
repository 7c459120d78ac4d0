import { existsSync, lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../brokers/free-port.mjs'
import { startBroker } from '../brokers/process.mjs'
import { newDataFolder } from '../machine.mjs'
import { Probe } from './probe.mjs'

export const mainFile = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** Within it the space of what was deleted has to be given back. */
const settleSecondsMax = 120

/**
 * A Sluice that can be stopped, killed and started again on the same folder.
 *
 * @typedef {import('../brokers/process.mjs').Running & { webSocketPort: number }} Started
 */
export class Sluice {
  #home = newDataFolder()
  folder = join(this.#home, 'data')
  #config = join(this.#home, 'sluice.yaml')
  #probe = new Probe()
  /** @type {Started | undefined} */
  #running

  #anyCore

  /** @param {object} [config] as in a file of settings @param {{ anyCore?: boolean }} [place] not on one core only */
  constructor(config = {}, { anyCore = false } = {}) {
    this.#anyCore = anyCore
    // JSON is YAML too.
    writeFileSync(this.#config, JSON.stringify(config))
  }

  /** @returns {Promise<Started>} */
  async start() {
    const webSocketPort = await freePort()
    const command = [
      'env',
      ...Object.entries(this.#probe.environment).map(([name, value]) => `${name}=${value}`),
      process.execPath,
      ...(process.env.SLUICE_BENCH_NODE_FLAGS?.split(' ') ?? []),
      ...this.#probe.flags,
      ...[mainFile, 'start', '--mqtt-port', '0', '--http-port', String(webSocketPort), '--log-level', 'warn'],
      ...['--config', this.#config, '--data', this.folder, '--durability', 'fsync'],
    ]
    const broker = await startBroker(command, /^listening mqtt:\/\/.*:(\d+)$/, {
      readyMs: 300_000,
      anyCore: this.#anyCore,
    })
    this.#running = { ...broker, webSocketPort }
    return this.#running
  }

  get running() {
    if (!this.#running) throw new Error('the broker has not been started')
    return this.#running
  }

  /** @param {{ collect?: boolean }} [options] */
  figures(options) {
    return this.#probe.read(this.running.pid, options)
  }

  async stop() {
    await this.#running?.stop()
    this.#running = undefined
  }

  async kill() {
    await this.#running?.kill()
    this.#running = undefined
  }

  /** What its store takes on the disk, in bytes. */
  storeBytes() {
    return existsSync(this.folder) ? bytesOf(this.folder) : 0
  }

  async remove() {
    // In peace, so that a profile is written.
    await this.stop()
    this.#probe.remove()
    rmSync(this.#home, { recursive: true, force: true })
  }
}

/** Runs something with a broker and leaves nothing behind. @template T @param {Sluice} sluice @param {(sluice: Sluice) => Promise<T>} work */
export async function using(sluice, work) {
  try {
    return await work(sluice)
  } finally {
    await sluice.remove()
  }
}

/** @param {string} folder @returns {number} */
function bytesOf(folder) {
  let bytes = 0
  for (const name of readdirSync(folder)) {
    try {
      const path = join(folder, name)
      const found = lstatSync(path)
      bytes += found.isDirectory() ? bytesOf(path) : found.blocks * 512
    } catch (error) {
      // Deleted by the broker since.
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error
    }
  }
  return bytes
}

/** Seconds until the store is no larger than that; NaN: it never was. @param {Sluice} sluice @param {number} bytes */
export async function untilFallen(sluice, bytes) {
  const startMs = performance.now()
  const elapsed = () => (performance.now() - startMs) / 1000
  while (sluice.storeBytes() > bytes) {
    if (elapsed() > settleSecondsMax) return Number.NaN
    await new Promise((next) => setTimeout(next, 100))
  }
  return elapsed()
}
