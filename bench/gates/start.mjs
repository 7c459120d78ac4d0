import { generate } from '../generator.mjs'
import { residentBytes } from '../load/process-figures.mjs'
import { Sluice, using } from './broker.mjs'
import { atMost, exactly, mebibytes, nothingLost } from './gate.mjs'

const sessions = 10

/** @type {import('./gate.mjs').Gate} */
export const start = {
  name: 'start',
  title: 'start with 1 million stored messages',
  run: ({ quick }) => using(new Sluice(), (sluice) => measure(sluice, quick ? 50_000 : 1_000_000)),
}

/** @param {Sluice} sluice @param {number} messages @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, messages) {
  const load = { qos: 1, payloadBytes: 64, topics: 1, publishers: sessions, subscribers: sessions, audience: 'own' }
  const job = { ...load, persistent: true, inflight: 1000, outstanding: 1e9, each: messages / sessions }
  const { port, pid } = await sluice.start()
  await generate({ ...job, kind: 'fill', port, pid })
  const storeBytes = sluice.storeBytes()
  await sluice.stop()
  const stopped = await sluice.start()
  const rssBytes = residentBytes(stopped.pid)
  await sluice.kill()
  const killed = await sluice.start()
  const drained = await generate({ ...job, kind: 'drain', port: killed.port, pid: killed.pid })
  return {
    how: `${sessions} persistent sessions of clients that are away. From the start of the process to its first listener, after a stop and after a \`kill -9\`; then all is drained and compared.`,
    checks: [
      atMost('start after a stop', stopped.readyMs / 1000, 10, 's'),
      atMost('start after a kill', killed.readyMs / 1000, 10, 's'),
      exactly('sessions kept', drained.sessionsKept ? sessions : 0, sessions, ''),
      ...nothingLost(drained.account),
    ],
    figures: [
      ['messages', messages, ''],
      ['store', mebibytes(storeBytes), 'MiB'],
      ['memory after the start', mebibytes(rssBytes), 'MiB'],
      ['drained', drained.perSecond, 'messages/s'],
    ],
  }
}
