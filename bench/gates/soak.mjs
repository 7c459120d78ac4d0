import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from '../generator.mjs'
import { mainFile, Sluice, using } from './broker.mjs'
import { atLeast, atMost, exactly, mebibytes } from './gate.mjs'

/** Sessions end this long after their connection, so that each cycle ends with nothing. */
const sessionSeconds = 4
const atOnce = 40
/** Within it the router forgets what was of use to the clients of a cycle. */
const restSeconds = 45
const warmUpSeconds = 150
const warmUpRounds = 10

/** @type {import('./gate.mjs').Gate} */
export const soak = {
  name: 'soak',
  title: 'clients coming and going for 10 minutes end with the memory they began with',
  minutes: 10,
  run: ({ minutes, quick, say }) =>
    using(new Sluice({ limits: { sessionExpirySecondsMax: sessionSeconds }, sys: { intervalSeconds: 2 } }), (sluice) =>
      measure(sluice, minutes, quick, say),
    ),
}

/** @param {Sluice} sluice @param {number} minutes @param {boolean} quick @param {(line: string) => void} say @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, minutes, quick, say) {
  const { port, webSocketPort } = await sluice.start()
  const cycleSeconds = Math.min(150, minutes * 20)
  const cycles = Math.max(2, Math.round((minutes * 60) / cycleSeconds))
  const totals = { lives: 0, received: 0, failures: 0 }
  const samples = []
  // A cycle first that does not count: what is compiled, opened and grown to its size once is not a leak.
  await warmUp(sluice, quick ? 1000 : 30_000)
  for (let cycle = 0; cycle <= cycles; cycle++) {
    const outcome = await generate({
      kind: 'soak',
      port,
      webSocketPort,
      seconds: cycle > 0 ? cycleSeconds : Math.min(cycleSeconds, warmUpSeconds),
      atOnce,
      seed: cycle + 2,
    })
    for (const failure of outcome.firstFailures) say(`bench: ${failure}`)
    totals.failures += outcome.failures
    if (cycle > 0) totals.lives += outcome.lives
    if (cycle > 0) totals.received += outcome.received
    await new Promise((next) => setTimeout(next, (quick ? sessionSeconds + 3 : restSeconds) * 1000))
    const sample = { minutes: (cycle * cycleSeconds) / 60, lives: totals.lives, ...(await look(sluice)) }
    samples.push(sample)
    say(JSON.stringify(sample))
  }
  const [first, last] = [samples[0], samples.at(-1)]
  if (!first || !last) throw new Error('no cycle was measured')
  return {
    how:
      `${atOnce} clients at a time with mqtt.js: MQTT 3.1, 3.1.1 and 5.0 over TCP and WebSocket, wills, retained messages set and cleared, subscribing and ` +
      'unsubscribing, shared groups, clean and persistent sessions with short expiry, ends by DISCONNECT, by a broken connection and by ' +
      `takeover; names never seen before. After each cycle all clients are gone, all sessions have expired and ${restSeconds} s have passed; ` +
      'memory is taken after a garbage collection, the keys from a backup of the running broker. The first measurement is ' +
      'after two and a half minutes of the same and 150 MB of messages that came and went, so that the write buffers of the database have been ' +
      'used before; there are two of 32 MiB, each with as much of a log on the disk.',
    checks: [
      atLeast('duration', (cycles * cycleSeconds) / 60, quick ? 0 : 10, 'min'),
      exactly('clients that failed', totals.failures, 0, ''),
      atMost('heap, more by', mebibytes(last.heapBytes - first.heapBytes), 1, 'MiB'),
      atMost('buffers, more by', mebibytes(last.externalBytes - first.externalBytes), 1, 'MiB'),
      atMost('memory of the process, more by', (last.rssBytes / first.rssBytes - 1) * 100, 10, '%'),
      atMost('keys in the store, more by', last.keys - first.keys, 0, ''),
      atMost('store on the disk, more by', mebibytes(last.storeBytes - first.storeBytes), 64, 'MiB'),
      atMost('timers, more by', last.timers - first.timers, 0, ''),
      atMost('handles, more by', last.handles - first.handles, 0, ''),
    ],
    figures: [
      ['clients', totals.lives, ''],
      ['messages that they received', totals.received, ''],
      ['heap for each 1,000 clients', slope(samples.map(({ lives, heapBytes }) => [lives, heapBytes])) * 1000, 'bytes'],
    ],
    series: [
      {
        head: ['minutes', 'clients', 'heap MiB', 'buffers MiB', 'memory MiB', 'keys', 'store MiB', 'timers', 'handles'],
        rows: samples.map((sample) => [
          sample.minutes,
          sample.lives,
          mebibytes(sample.heapBytes),
          mebibytes(sample.externalBytes),
          mebibytes(sample.rssBytes),
          sample.keys,
          mebibytes(sample.storeBytes),
          sample.timers,
          sample.handles,
        ]),
      },
    ],
  }
}

/** A backlog that comes and goes. @param {Sluice} sluice @param {number} each messages of each session */
async function warmUp(sluice, each) {
  const { port, pid } = sluice.running
  const load = {
    qos: 1,
    payloadBytes: 512,
    topics: 1,
    publishers: 10,
    subscribers: 10,
    audience: 'own',
    persistent: true,
  }
  const job = { ...load, inflight: 1000, outstanding: 1e9, each: each / warmUpRounds, port, pid }
  // In parts, each of which has to be done before the sessions expire.
  for (let round = 0; round < warmUpRounds; round++) {
    await generate({ ...job, kind: 'fill' })
    await generate({ ...job, kind: 'drain' })
  }
}

/** @param {Sluice} sluice */
async function look(sluice) {
  const { heapUsed, external, rss, resources } = await sluice.figures({ collect: true })
  const { Timeout: timers = 0, ...handles } = resources
  return {
    heapBytes: heapUsed,
    externalBytes: external,
    rssBytes: rss,
    keys: keysOf(sluice.folder),
    storeBytes: sluice.storeBytes(),
    timers,
    handles: Object.values(handles).reduce((sum, count) => sum + count, 0),
  }
}

/** Counts the records of a running broker's store, by a backup of it. @param {string} data */
function keysOf(data) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-backup-'))
  try {
    command('store', 'backup', folder, '--data', data)
    const { kinds } = JSON.parse(command('store', 'check', '--json', '--data', folder))
    /** @type {Array<{ good: number, leftover: number, damaged: number }>} */
    const counts = Object.values(kinds)
    return counts.reduce((sum, { good, leftover, damaged }) => sum + good + leftover + damaged, 0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string[]} argv */
function command(...argv) {
  const run = spawnSync(process.execPath, [mainFile, ...argv], { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(`sluice ${argv.join(' ')}: ${run.stderr}`)
  return run.stdout
}

/** Of the line that fits best (least squares). @param {number[][]} points */
function slope(points) {
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanX, meanY] = [mean(points.map(([x = 0]) => x)), mean(points.map(([, y = 0]) => y))]
  const over = points.reduce((sum, [x = 0, y = 0]) => sum + (x - meanX) * (y - meanY), 0)
  return over / points.reduce((sum, [x = 0]) => sum + (x - meanX) ** 2, 0)
}
