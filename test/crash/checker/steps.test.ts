import { describe, expect, test, vi } from 'vitest'
import { Device } from './device.ts'
import { Journal } from './journal.ts'
import { PowerCutWorld, socket } from './power-cut-world.ts'
import { Random } from './random.ts'
import { pause, Stage } from './stage.ts'
import { accountFor } from './store-account.ts'

vi.mock('../../../src/store/level/open-folder.ts', () => ({ openFolder: async () => socket.next?.() }))

const TOPIC = 'steps'
const MESSAGES = ['one', 'two', 'three']
const SYNCS_MAX = 60

/** The sync at which the power goes, whether that batch is kept, and how many syncs later it goes once more. */
interface Cut {
  readonly at: number
  readonly keeps: boolean
  readonly againAfter: number
}

interface Result {
  readonly got: string[]
  readonly problems: readonly string[]
  readonly cuts: number
}

/** Three messages from a publisher to a subscriber at one QoS, both with a session, then an end in proper form. */
async function exchange(qos: number, cut: Cut): Promise<Result> {
  const world = new PowerCutWorld(1, 0)
  const journal = new Journal()
  const stage = new Stage(world, journal, new Random(1))
  const { disk } = world
  let cuts = 0
  let reviving: Promise<void> = Promise.resolve()
  disk.cutAt = cut.at
  disk.cutKeeps = cut.keeps
  disk.onCut = () => {
    cuts++
    if (cuts === 1 && cut.againAfter > 0) disk.cutAt = disk.synced + cut.againAfter
    stage.isUp = false
    world.powerOff()
    reviving = reviving.then(revive)
  }
  const revive = async (): Promise<void> => {
    await world.clear()
    await start()
  }
  // The power may go again before the broker is up.
  const start = async (): Promise<void> => {
    const before = cuts
    try {
      await stage.start()
    } catch {
      stage.isUp = false
    }
    // Its first sync is what it found of the crash; a broker that started nevertheless has no disk.
    if (cuts !== before) stage.isUp = false
  }
  const got: string[] = []
  const subscriber = new Device(stage, 'subscriber', { version: 5, expirySeconds: 3600 })
  const publisher = new Device(stage, 'publisher', { version: 4, expirySeconds: 3600 })
  subscriber.onMessage = ({ payload }) => {
    // At QoS 1 a message may come again.
    if (qos === 2 || !got.includes(payload)) got.push(payload)
  }
  await start()
  const answered = async (ask: () => Promise<unknown>): Promise<void> => {
    for (;;) {
      await Promise.all([subscriber.ensureConnected(), publisher.ensureConnected()])
      if (
        await ask().then(
          () => true,
          () => false,
        )
      )
        return
    }
  }
  await answered(() => subscriber.subscribe([TOPIC], qos))
  for (const payload of MESSAGES) publisher.publish(TOPIC, payload, qos, false, () => {})
  while (publisher.session.openCount > 0 || got.length < MESSAGES.length) {
    await Promise.all([subscriber.ensureConnected(), publisher.ensureConnected()])
    await pause(0)
  }
  // Behind it are all acknowledgements of the subscriber.
  await pause(2)
  await answered(() => subscriber.subscribe(['other'], qos))
  await answered(() => subscriber.subscribe(['other'], qos))
  stage.isUp = false
  await world.close().catch(() => {})
  await reviving
  // Cut while it closed: the next broker finds everything in order, too.
  const { problems, left, incoming } = accountFor(await world.rows())
  subscriber.drop()
  publisher.drop()
  await world.stop()
  return { got, cuts, problems: [...journal.violations, ...problems, ...left, ...(incoming > 0 ? ['incoming'] : [])] }
}

describe.each([1, 2])('the power goes at each sync of an exchange at QoS %i', (qos) => {
  test.each([
    { name: 'before the batch is stored', keeps: false, againAfter: 0 },
    { name: 'after the batch is stored and before anyone is told', keeps: true, againAfter: 0 },
    { name: 'and once more at the first sync after it', keeps: false, againAfter: 1 },
    { name: 'and once more at the second sync after it', keeps: true, againAfter: 2 },
  ])('$name', { timeout: 60_000 }, async ({ keeps, againAfter }) => {
    let at = 1
    for (; at < SYNCS_MAX; at++) {
      const { got, problems, cuts } = await exchange(qos, { at, keeps, againAfter })
      expect({ at, got, problems }).toEqual({ at, got: MESSAGES, problems: [] })
      if (cuts === 0) break
    }
    expect(at).toBeGreaterThan(5)
    expect(at).toBeLessThan(SYNCS_MAX)
  })
})
