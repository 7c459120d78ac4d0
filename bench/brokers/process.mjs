import { spawn, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'

const pinned = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0

/** The broker has one core to itself and the load generator another, where there are two and `taskset` is installed. */
export const cores = { broker: 0, generator: 1, pinned }

/** Raises the limit of open files as far as it goes; `exec` keeps the process id. */
const raised = 'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)"; exec "$@"'

/** What runs now: it ends with this process, however that ends. @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

/** @template {import('node:child_process').ChildProcess} C @param {C} child @returns {C} */
export function endWithThis(child) {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/**
 * A command with the files it needs, on its core.
 *
 * @param {number | undefined} core undefined: on whichever the system gives it
 * @param {string[]} command
 */
export function launch(core, command) {
  const pin = pinned && core !== undefined ? ['taskset', '-c', String(core)] : []
  return endWithThis(spawn('/bin/sh', ['-c', raised, 'sh', ...pin, ...command], { stdio: ['ignore', 'pipe', 'pipe'] }))
}

/**
 * @typedef {object} Running
 * @property {number} pid
 * @property {number} port for MQTT
 * @property {number} [amqpPort]
 * @property {number} readyMs from the start of the process to the line that says it is ready
 * @property {() => Promise<void>} stop
 * @property {() => Promise<void>} kill at once, as a crash does; leaves what it has stored
 */

/**
 * Starts a broker and waits for the line on either output that says it is ready.
 *
 * @param {string[]} command
 * @param {RegExp} ready its first group, if it has one, is the port
 * @param {{ port?: number, readyMs?: number, clean?: () => void, anyCore?: boolean }} [known] `readyMs`: how long it may take
 * @returns {Promise<Running>}
 */
export async function startBroker(command, ready, known = {}) {
  const startMs = performance.now()
  const child = launch(known.anyCore ? undefined : cores.broker, command)
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  /** @type {string[]} */
  const last = []
  const found = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        last.push(line)
        if (last.length > 5) last.shift()
        const match = ready.exec(line)
        if (match) resolve(match)
      })
    }
  })
  const match = await Promise.race([found, exited.then(() => undefined), after(known.readyMs ?? 15_000)])
  const readyMs = performance.now() - startMs
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  const stop = async () => {
    child.kill('SIGTERM')
    const ended = await Promise.race([exited.then(() => true), after(8000)])
    if (!ended) await kill()
    known.clean?.()
  }
  if (!match) {
    await stop()
    throw new Error(`${command.slice(0, 2).join(' ')} did not start: ${last.join(' | ') || 'it said nothing'}`)
  }
  return { pid: child.pid ?? 0, port: known.port ?? Number(match[1]), readyMs, stop, kill }
}

/** @param {number} ms @returns {Promise<undefined>} */
function after(ms) {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref())
}
