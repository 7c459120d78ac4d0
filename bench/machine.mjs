import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './median.mjs'

// In the checkout and ignored by git. The temporary folder may be in memory, where syncing costs nothing.
const parent = fileURLToPath(new URL('../node_modules/.bench/', import.meta.url))

/** A new empty folder on the checkout's disk. */
export function newDataFolder() {
  mkdirSync(parent, { recursive: true })
  return mkdtempSync(join(parent, 'data-'))
}

/** What the figures depend on, for people. */
export function machine() {
  const cpus = os.cpus()
  return {
    cpu: `${cpus.length} × ${cpus[0]?.model.trim() ?? os.arch()}`,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: `${os.type()} ${os.release().split('-')[0]}`,
    node: process.version,
    sync: `${syncMs().toFixed(2)} ms`,
  }
}

/** What writing 4 KiB and waiting for the disk takes: the floor of every acknowledgement with durability `fsync`. */
function syncMs() {
  const folder = newDataFolder()
  const file = openSync(join(folder, 'probe'), 'w')
  const block = Buffer.alloc(4096, 'x')
  const times = []
  for (let n = 0; n < 50; n++) {
    const startMs = performance.now()
    writeSync(file, block)
    fdatasyncSync(file)
    times.push(performance.now() - startMs)
  }
  closeSync(file)
  rmSync(folder, { recursive: true })
  return median(times)
}
