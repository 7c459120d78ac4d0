import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cores } from '../brokers/process.mjs'
import { generate, startProgram } from '../generator.mjs'
import { Sluice, using } from './broker.mjs'
import { exactly, mebibytes } from './gate.mjs'
import { watch } from './watch.mjs'

const goal = 50_000
/** Files of the process beside its connections. */
const otherFiles = 200
const streamsProgram = fileURLToPath(new URL('./streams.mjs', import.meta.url))

/** @type {import('./gate.mjs').Gate} */
export const connections = {
  name: 'connections',
  title: '50,000 idle connections',
  run: ({ quick, say }) => {
    const possible = filesMax() - otherFiles
    if (possible < goal) {
      say(`bench: only ${possible} connections: this machine lets a process open ${filesMax()} files (ulimit -H -n)`)
    }
    return using(new Sluice(), (sluice) => measure(sluice, quick ? 2000 : goal, possible))
  },
}

/** How many files a process may open at most, raised as `launch` raises it. */
function filesMax() {
  const asked = spawnSync('/bin/sh', ['-c', 'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)"; ulimit -n'])
  return Number(asked.stdout)
}

/** @param {Sluice} sluice @param {number} wanted @param {number} possible @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, wanted, possible) {
  const { port, pid } = await sluice.start()
  await sluice.figures()
  const watching = watch(sluice, 1)
  const held = await generate({
    kind: 'connections',
    port,
    pid,
    connections: Math.min(wanted, possible),
    settleSeconds: 10,
  })
  const { stallMaxMs, waitedPercent } = await watching.end()
  const inMemory = await holdStreams(wanted)
  const limited =
    possible < wanted
      ? ` A process on this machine may open ${filesMax()} files, which allows ${possible} connections over TCP.`
      : ''
  return {
    how:
      'From several loopback addresses, 100 at a time, each with one subscription at QoS 1. When all are there each is pinged and gets ' +
      `a message.${limited} The same with streams in the memory of a program, which need no files: what is weighed there is the heap, ` +
      'both ends of each stream and the client included.',
    checks: [
      exactly('connections over TCP', held.connections, Math.min(wanted, possible), ''),
      exactly('of these, reached by a message', held.reached, held.connections, ''),
      exactly('connections over streams in memory', inMemory.held, wanted, ''),
      exactly('of these, reached by a message', inMemory.reached, wanted, ''),
    ],
    figures: [
      ['memory for each, over TCP', held.bytesPerConnection / 1000, 'KB'],
      ['memory in all', mebibytes(held.rssBytes), 'MiB'],
      ['connected', held.connectsPerSecond, 'connections/s'],
      ['all pinged in', held.pingSeconds, 's'],
      ['longest stall', stallMaxMs, 'ms'],
      ['memory for each, over streams', inMemory.bytesPerConnection / 1000, 'KB'],
      ['all pinged in, over streams', inMemory.pingSeconds, 's'],
      ['broker ready but without a core', waitedPercent, '%'],
    ],
  }
}

/** @param {number} wanted @returns {Promise<{ held: number, reached: number, bytesPerConnection: number, pingSeconds: number }>} */
function holdStreams(wanted) {
  const command = [process.execPath, '--expose-gc', streamsProgram, String(wanted)]
  return startProgram(cores.broker, command, 'bench/gates/streams.mjs').outcome
}
