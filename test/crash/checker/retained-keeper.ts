import { Device } from './device.ts'
import { payloadOf, serialOf } from './journal.ts'
import type { Random } from './random.ts'
import { pause, type Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

const TOPICS = 5
const NOTHING = 0
const SAME_CHANCE = 0.5
const DELETION_CHANCE = 0.4

/** One message that sets or deletes what is retained. Times are places in the journal's row of events. */
interface Change {
  /** The number in the payload; 0: it deletes. */
  readonly serial: number
  readonly sentAt: number
  ackedAt: number
}

/** What became of one topic. */
class Topic {
  readonly name: string
  lastSerial = 0
  private readonly changes: Change[] = [{ serial: NOTHING, sentAt: 0, ackedAt: 0 }]

  constructor(name: string) {
    this.name = name
  }

  begin(serial: number, sentAt: number): Change {
    const change = { serial, sentAt, ackedAt: Number.POSITIVE_INFINITY }
    this.changes.push(change)
    return change
  }

  /**
   * Whether this can be retained for one who asked at `askedAt`: unless another change began after it was acknowledged,
   * and was acknowledged before. Those that overlap have any order.
   */
  mayBe(serial: number, askedAt: number): boolean {
    const acknowledged = this.changes.filter(({ ackedAt }) => ackedAt < askedAt)
    const superseded = Math.max(...acknowledged.map(({ sentAt }) => sentAt))
    return this.changes.some((change) => change.serial === serial && change.ackedAt >= superseded)
  }
}

/**
 * Two clients that set and delete the same retained messages, now and then with the same message at the same time; who
 * asks afterwards gets what was acknowledged, or what was sent since.
 */
export class RetainedKeeper {
  private readonly stage: Stage
  private readonly devices: Device[]
  private readonly random: Random
  private readonly topics = Array.from({ length: TOPICS }, (_, index) => new Topic(`retained/${index}`))
  private probes = 0

  constructor(stage: Stage) {
    this.stage = stage
    this.random = stage.random.fork()
    this.devices = ([5, 4] as const).map((version) => {
      return new Device(stage, `retained keeper ${version}`, { version, expirySeconds: 3600 })
    })
  }

  async run(): Promise<void> {
    const { devices, topics } = this
    let open = true
    const staying = devices.map(async (device) => {
      while (open) {
        await device.ensureConnected()
        await pause(2)
      }
    })
    await Promise.all(devices.flatMap((device) => topics.map((topic) => this.keep(topic, device))))
    open = false
    await Promise.all(staying)
  }

  /** Asks with a new client, and compares. */
  async check(): Promise<void> {
    const { journal, world } = this.stage
    const reader = new Device(this.stage, `retained reader ${++this.probes}`, { version: 5, expirySeconds: 0 })
    const seen = new Map<string, string>()
    reader.onMessage = ({ retain, topic, payload }) => {
      if (topic === world.deniedTopic) journal.violation('a retained message that is not permitted was kept')
      if (retain) seen.set(topic, payload)
    }
    const askedAt = journal.now()
    try {
      await reader.connect()
      await reader.subscribe(['retained/#', world.deniedFilter], 1)
      // Behind what is retained, since replies keep their order.
      await reader.unsubscribe('nothing')
    } catch (error) {
      if (error instanceof ConnectionLost) return
      throw error
    } finally {
      reader.drop()
    }
    this.compare(seen, askedAt)
  }

  /** With the payloads that a client or a store has for the topics, asked for at `askedAt`. */
  compare(retained: ReadonlyMap<string, string>, askedAt: number): void {
    for (const topic of this.topics) {
      const payload = retained.get(topic.name)
      const serial = payload === undefined ? NOTHING : serialOf(payload)
      if (topic.mayBe(serial, askedAt)) continue
      const what = payload === undefined ? 'not there' : serial
      this.stage.journal.violation(`${topic.name} is ${what}, which is not what was acknowledged`)
    }
  }

  leave(): void {
    for (const device of this.devices) device.drop()
  }

  private async keep(topic: Topic, device: Device): Promise<void> {
    const { devices, random, stage } = this
    while (!stage.isEnding) {
      const senders = random.chance(SAME_CHANCE) ? devices : [device]
      await Promise.all(senders.map((sender) => sender.ensureConnected()))
      const serial = random.chance(DELETION_CHANCE) ? NOTHING : ++topic.lastSerial
      const payload = serial === NOTHING ? '' : payloadOf(serial, random.below(100))
      await Promise.all(senders.map((sender) => this.change(topic, sender, serial, payload)))
      await pause(random.below(40))
    }
  }

  private async change(topic: Topic, device: Device, serial: number, payload: string): Promise<void> {
    const { journal } = this.stage
    const change = topic.begin(serial, journal.now())
    const reasonCode = await device.published(topic.name, payload, this.random.between(1, 2), true)
    if (reasonCode >= 0x80) journal.violation(`${topic.name} ${serial} was refused with ${reasonCode}`)
    change.ackedAt = journal.now()
  }
}
