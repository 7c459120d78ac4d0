import { generate } from '../generator.mjs'
import { Sluice, using } from './broker.mjs'
import { atMost, exactly, mebibytes } from './gate.mjs'
import { watch } from './watch.mjs'

const waiting = 3

/** @type {import('./gate.mjs').Gate} */
export const reconnect = {
  name: 'reconnect',
  title: '10,000 clients with sessions and retained state come back at once',
  run: ({ quick }) => using(new Sluice(), (sluice) => measure(sluice, quick ? 500 : 10_000)),
}

/** @param {Sluice} sluice @param {number} clients @returns {Promise<import('./gate.mjs').Finding>} */
async function measure(sluice, clients) {
  const { port } = await sluice.start()
  await generate({ kind: 'settle-fleet', port, clients, waiting })
  await sluice.kill()
  const started = await sluice.start()
  await sluice.figures()
  const watching = watch(sluice, 1)
  const back = await generate({ kind: 'return-fleet', port: started.port, clients, waiting })
  const { stallMaxMs, rssMax, waitedPercent } = await watching.end()
  return {
    how:
      `Each client has a persistent session, a retained message and ${waiting} messages that wait for it. The broker is killed and started; then all ` +
      'of them connect in the same moment and subscribe again. A client is served when it has its state and all that waited.',
    checks: [
      exactly('clients served', back.served, clients, ''),
      atMost('longest stall', stallMaxMs, 500, 'ms'),
      exactly('sessions lost', back.withoutSession, 0, ''),
      exactly('messages missing', back.missing, 0, ''),
      exactly('repeated or out of order', back.repeatedOrLate, 0, ''),
      exactly('clients without their retained state', back.wrongState, 0, ''),
    ],
    figures: [
      ['all served after', back.seconds, 's'],
      ['of this, until the system had made all TCP connections', back.dialledSeconds, 's'],
      ['clients served', clients / back.seconds, 'clients/s'],
      ['connected, p50', back.connect?.p50Ms ?? Number.NaN, 'ms'],
      ['connected, p99', back.connect?.p99Ms ?? Number.NaN, 'ms'],
      ['served, p50', back.serve?.p50Ms ?? Number.NaN, 'ms'],
      ['served, p99', back.serve?.p99Ms ?? Number.NaN, 'ms'],
      ['start of the broker before', started.readyMs, 'ms'],
      ['memory, most', mebibytes(rssMax), 'MiB'],
      ['broker ready but without a core', waitedPercent, '%'],
    ],
  }
}
