import type { ProtocolVersion } from '../../../../src/wire/mqtt/packet.ts'
import type { ReceivedPacket } from '../../../support/wire-reader.ts'
import { Device } from '../device.ts'
import { serialOf } from '../journal.ts'
import { pause, type Stage } from '../stage.ts'
import type { AnswerKind, Given } from './ledger.ts'
import { topicOf } from './queue-publisher.ts'
import type { Line, Taken, Tap } from './tap.ts'
import { MARK_TOPIC, type QueuePlan } from './topology.ts'

// MQTT 5, 3.4.2.1: "Unspecified error".
const REJECT = 0x80

export interface MqttTapOptions {
  readonly name: string
  readonly version: ProtocolVersion
  /** The session, and the subscription in it, outlives the connection. */
  readonly lasting: boolean
  /** Packets of QoS 1 that may be unanswered. */
  readonly prefetch: number
}

/** One MQTT client that consumes from `$queue/<name>`, one connection after the other. */
export class MqttTap implements Tap {
  readonly version: ProtocolVersion
  private readonly stage: Stage
  private readonly device: Device

  constructor(stage: Stage, { name, version, lasting, prefetch }: MqttTapOptions) {
    this.stage = stage
    this.version = version
    const receiveMaximum = version === 5 ? { receiveMaximum: prefetch } : {}
    this.device = new Device(stage, name, { version, expirySeconds: lasting ? 3600 : 0, ...receiveMaximum })
  }

  async open(queue: string, take: (taken: Taken) => void): Promise<Line> {
    const { device, stage } = this
    const line = new MqttLine(stage, device, queue, take)
    await stage.up()
    line.begin()
    await device.connect()
    // A session that came back consumes again by itself.
    if (!device.sessionPresent) await device.subscribe([`$queue/${queue}`], 1)
    return line
  }
}

class MqttLine implements Line {
  private readonly stage: Stage
  private readonly device: Device
  private readonly queue: string
  private readonly take: (taken: Taken) => void
  private since = 0
  private isClosed = false

  constructor(stage: Stage, device: Device, queue: string, take: (taken: Taken) => void) {
    this.stage = stage
    this.device = device
    this.queue = queue
    this.take = take
  }

  get isOpen(): boolean {
    const { device, stage } = this
    return !this.isClosed && device.isConnected && stage.isUp && stage.upSinceMs === this.since
  }

  begin(): void {
    this.since = this.stage.upSinceMs
    this.device.onMessage = (packet) => this.receive(packet)
  }

  async commit(): Promise<boolean> {
    let isStored = false
    this.device.publish(MARK_TOPIC, 'mark', 1, false, () => (isStored = true))
    while (this.isOpen && !isStored) await pause(1)
    return this.isOpen && isStored
  }

  close(): void {
    if (!this.isClosed) this.device.drop()
    this.isClosed = true
  }

  private receive(packet: ReceivedPacket): boolean {
    if (!this.isOpen) return true
    const { journal } = this.stage
    const given = givenOf(packet)
    const names = new Map(packet.properties.userProperties ?? [])
    if (packet.topic !== `$queue/${this.queue}` || packet.qos !== 1 || packet.dup || packet.retain) {
      journal.violation(`a message of ${this.queue} came as ${packet.topic}, QoS ${packet.qos}, DUP ${packet.dup}`)
    }
    if (
      this.device.version === 5 &&
      (names.get('x-queue') !== this.queue || names.get('x-mqtt-topic') !== given.topic)
    ) {
      journal.violation(`a message of ${this.queue} came with ${JSON.stringify([...names])}`)
    }
    this.take({
      given,
      answer: (kind: AnswerKind) => {
        if (this.isOpen) this.device.answerMessage(packet.packetId, kind === 'reject' ? REJECT : undefined)
      },
      canReject: this.device.version === 5,
      giveBack: undefined,
    })
    return true
  }
}

/** Below version 5 nothing is told of what the message went through. */
function givenOf({ payload, properties }: ReceivedPacket): Given {
  const names = new Map(properties.userProperties ?? [])
  const count = names.get('x-delivery-count')
  return {
    topic: topicOf(payload),
    serial: serialOf(payload),
    payload,
    count: count === undefined ? undefined : Number(count),
    redelivered: count !== '0',
    deathReason: names.get('x-last-death-reason') ?? '',
    deathQueue: names.get('x-last-death-queue') ?? '',
    deaths: 1,
  }
}

const KINDS = [
  { version: 5, lasting: false },
  { version: 4, lasting: true },
  { version: 5, lasting: true },
] as const

/** Clients of every kind in turn; whoever is alone at its queue, or has to reject, speaks version 5. */
export function mqttTap(stage: Stage, { name, workers, rejects, prefetch }: QueuePlan, index: number): MqttTap {
  const turn = workers === 1 || rejects > 0 ? (index % 2) * 2 : index % KINDS.length
  const { version, lasting } = KINDS[turn] ?? KINDS[0]
  return new MqttTap(stage, { name: `${name} ${index}`, version, lasting, prefetch })
}
