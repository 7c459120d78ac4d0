import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startMosquitto } from '../support/mosquitto-peer.ts'
import { isReferencePeer, type Peer } from '../support/peer.ts'
import { startSluice } from '../support/sluice-peer.ts'
import { Board } from './board.ts'
import { Observer } from './observer.ts'
import { Road } from './road.ts'

let peer: Peer
let road: Road
const closing: Array<() => unknown> = []

beforeEach(async () => {
  peer = await (isReferencePeer ? startMosquitto : startSluice)({})
  road = new Road(() => peer.open())
  await road.mend()
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await road.cut()
  await peer.stop()
})

function board(name: 'thermostat' | 'gps-tracker', ...args: string[]): Board {
  const started = new Board(name, '--port', String(road.port), ...args)
  closing.push(() => started.kill())
  return started
}

/** Over a road of its own, so that it stays connected when the board's is cut. */
async function observer(...filters: string[]): Promise<Observer> {
  const own = new Road(() => peer.open())
  await own.mend()
  closing.push(() => own.cut())
  const watching = await Observer.on(own.port, ...filters)
  closing.push(() => watching.close())
  return watching
}

const isOffline = (payload: string) => payload === 'offline'
const json = (text: string): Record<string, unknown> => JSON.parse(text)

describe('the thermostat', () => {
  test('reports its state as often as asked, then says that it is offline and ends', async () => {
    const watching = await observer('thermostat/t1/#')
    const thermostat = board('thermostat', '--id', 't1', '--count', '3', '--interval', '0.05')
    expect(await thermostat.exitCode()).toBe(0)
    await watching.message('thermostat/t1/status', isOffline)
    expect(watching.seen.map(({ topic }) => topic.slice('thermostat/t1/'.length))).toEqual([
      'status',
      'state',
      'state',
      'state',
      'status',
    ])
  })

  test('leaves its last state behind as a retained message', async () => {
    await board('thermostat', '--id', 't2', '--count', '1', '--interval', '0.05').exitCode()
    const watching = await observer('thermostat/t2/state')
    const state = await watching.message('thermostat/t2/state')
    expect({ ...json(state.payload), retain: state.retain }).toMatchObject({ target: 20, heating: true, retain: true })
  })

  test('takes a command, acknowledges it and reports the new target', async () => {
    const watching = await observer('thermostat/t3/#')
    const thermostat = board('thermostat', '--id', 't3', '--interval', '0.05')
    await watching.message('thermostat/t3/state')
    await watching.publish('thermostat/t3/target/set', '22.5')
    const acknowledged = await watching.message('thermostat/t3/target/ack')
    expect(json(acknowledged.payload)).toEqual({ accepted: true, target: 22.5 })
    const state = await watching.message('thermostat/t3/state', (payload) => json(payload)['target'] === 22.5)
    expect(json(state.payload)).toMatchObject({ target: 22.5 })
    thermostat.interrupt()
    expect(await thermostat.exitCode()).toBe(0)
  })

  test.each([
    ['a target out of range', '99'],
    ['a word', 'warm'],
    ['no number', '{"target":null}'],
    ['a number in quotes', '{"target":"21"}'],
    ['nothing', ''],
    ['too many bytes', `{"target":21,"padding":"${'x'.repeat(300)}"}`],
  ])('refuses a command with %s and keeps its target', async (_what, command) => {
    const watching = await observer('thermostat/t4/target/ack', 'thermostat/t4/state')
    const thermostat = board('thermostat', '--id', 't4', '--interval', '0.05')
    await watching.message('thermostat/t4/state')
    await watching.publish('thermostat/t4/target/set', command)
    const answer = await watching.message('thermostat/t4/target/ack')
    expect(json(answer.payload)).toMatchObject({ accepted: false, error: expect.any(String) })
    const later = watching.seen.length
    await watching.until((seen) => seen.length > later)
    expect(json(watching.seen[later]?.payload ?? '{}')).toMatchObject({ target: 20 })
    thermostat.interrupt()
    await thermostat.exitCode()
  })

  test('answers on the response topic of a command, with its correlation data', async () => {
    const watching = await observer('thermostat/t5/state', 'backend/answers')
    const thermostat = board('thermostat', '--id', 't5', '--interval', '0.05')
    await watching.message('thermostat/t5/state')
    const properties = { responseTopic: 'backend/answers', correlationData: Buffer.from([0, 255, 7]) }
    await watching.publish('thermostat/t5/target/set', '{"target":18}', { properties })
    const answer = await watching.message('backend/answers')
    expect([json(answer.payload), answer.correlationData]).toEqual([
      { accepted: true, target: 18 },
      Buffer.from([0, 255, 7]),
    ])
    thermostat.interrupt()
    await thermostat.exitCode()
  })

  test('is declared offline by its last will when it dies', async () => {
    const watching = await observer('thermostat/t6/#')
    const thermostat = board('thermostat', '--id', 't6', '--interval', '0.05')
    await watching.message('thermostat/t6/state')
    thermostat.kill()
    const status = await watching.message('thermostat/t6/status', isOffline)
    expect(status.payload).toBe('offline')
  })

  test('gets a command that was sent while it was cut off', async () => {
    const watching = await observer('thermostat/t7/#')
    const thermostat = board('thermostat', '--id', 't7', '--interval', '0.05')
    await watching.message('thermostat/t7/state')
    await road.cut()
    await watching.message('thermostat/t7/status', isOffline)
    await watching.publish('thermostat/t7/target/set', '23')
    await road.mend()
    const answer = await watching.message('thermostat/t7/target/ack')
    expect(json(answer.payload)).toEqual({ accepted: true, target: 23 })
    thermostat.interrupt()
    await thermostat.exitCode()
  })
})

describe('the GPS tracker', () => {
  test('sends its fixes in order, then says that it is offline and ends', async () => {
    const watching = await observer('tracker/g1/#')
    const tracker = board('gps-tracker', '--id', 'g1', '--count', '5', '--interval', '0.05')
    expect(await tracker.exitCode()).toBe(0)
    await watching.message('tracker/g1/status', isOffline)
    const fixes = watching.seen.filter(({ topic }) => topic === 'tracker/g1/fix').map(({ payload }) => json(payload))
    expect(fixes.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4])
    expect(fixes[0]).toMatchObject({ latitude: 46.9489, longitude: 7.4391, speedKmh: 30 })
  })

  test('keeps its fixes while it is cut off and sends all of them, in order, when it is back', async () => {
    const watching = await observer('tracker/g2/#')
    const tracker = board('gps-tracker', '--id', 'g2', '--count', '20', '--interval', '0.05')
    await watching.until((seen) => seen.filter(({ topic }) => topic.endsWith('/fix')).length === 3)
    await road.cut()
    await tracker.line('offline, 6 fixes kept')
    await road.mend()
    expect(await tracker.exitCode()).toBe(0)
    await watching.until((seen) => seen.at(-1)?.payload === 'offline')
    // A fix whose acknowledgement was cut off comes twice: that is what QoS 1 says.
    const sequences = watching.seen.flatMap(({ topic, payload }) =>
      topic === 'tracker/g2/fix' ? [Number(json(payload)['sequence'])] : [],
    )
    expect(sequences.filter((sequence, n) => sequence !== sequences[n - 1])).toEqual([...Array(20).keys()])
  })

  test('keeps trying when there is no broker, and sends what it took meanwhile once there is one', async () => {
    const watching = await observer('tracker/g3/#')
    await road.cut()
    const tracker = board('gps-tracker', '--id', 'g3', '--count', '3', '--interval', '0.05')
    await tracker.line('trying again every second')
    await tracker.line('offline, 3 fixes kept')
    await road.mend()
    expect(await tracker.exitCode()).toBe(0)
    await watching.message('tracker/g3/status', isOffline)
    expect(watching.seen.filter(({ topic }) => topic === 'tracker/g3/fix')).toHaveLength(3)
  })

  test('says at Ctrl-C what it could not send, and ends', async () => {
    await road.cut()
    const tracker = board('gps-tracker', '--id', 'g4', '--interval', '0.05')
    await tracker.line('offline, 2 fixes kept')
    tracker.interrupt()
    expect([await tracker.exitCode(), await tracker.line('switched off')]).toEqual([
      0,
      expect.stringMatching(/^g4: switched off after 0 fixes, [2-9] not sent$/),
    ])
  })

  test('goes on without an end until Ctrl-C, and is offline then', async () => {
    const watching = await observer('tracker/g5/#')
    const tracker = board('gps-tracker', '--id', 'g5', '--interval', '0.05')
    await watching.message('tracker/g5/fix', (payload) => json(payload)['sequence'] === 3)
    tracker.interrupt()
    expect(await tracker.exitCode()).toBe(0)
    await watching.message('tracker/g5/status', isOffline)
    const states = watching.seen.filter(({ topic }) => topic === 'tracker/g5/status').map(({ payload }) => payload)
    expect(states).toEqual(['online', 'offline'])
  })
})
