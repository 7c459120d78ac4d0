import type { Properties } from '../../../src/wire/mqtt/packet.ts'
import type { ReceivedPacket } from '../../support/wire-reader.ts'
import type { Journal } from './journal.ts'

export interface Publish {
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly retain: boolean
  readonly properties?: Properties
  /** It goes out once more. */
  readonly repeated?: () => void
}

interface Open {
  readonly packetId: number
  readonly publish: Publish
  readonly answered: (reasonCode: number) => void
  state: 'sent' | 'released'
  /** When it went out for the last time, or its PUBREL. */
  sentAtMs: number
}

const PACKET_IDS = 50_000

/** What a client remembers of its session (MQTT 5, section 4.1). */
export class DeviceSession {
  private readonly journal: Journal
  private readonly name: string
  /** Messages on their way out, in the order of sending. */
  private readonly outgoing = new Map<number, Open>()
  /** What came at QoS 2 and is not yet released. */
  private readonly incoming = new Map<number, string>()
  private lastPacketId = 0

  constructor(journal: Journal, name: string) {
    this.journal = journal
    this.name = name
  }

  get openCount(): number {
    return this.outgoing.size
  }

  /** The packet identifier for a new message. `answered` gets the reason code of PUBACK or of the first PUBREC. */
  begin(publish: Publish, answered: (reasonCode: number) => void): number {
    do this.lastPacketId = (this.lastPacketId % PACKET_IDS) + 1
    while (this.outgoing.has(this.lastPacketId))
    const packetId = this.lastPacketId
    this.outgoing.set(packetId, { packetId, publish, answered, state: 'sent', sentAtMs: performance.now() })
    return packetId
  }

  /** What has to be sent again on a new connection, in order (MQTT-4.4.0-1). */
  open(): Iterable<Open> {
    return this.outgoing.values()
  }

  /** PUBREC; true: PUBREL is to be sent. */
  received(packetId: number, reasonCode: number): boolean {
    const open = this.outgoing.get(packetId)
    if (open === undefined || open.publish.qos !== 2) {
      this.journal.violation(`${this.name}: PUBREC for ${packetId}, which is not in flight`)
      return false
    }
    if (open.state === 'sent') this.compareOrder('pubrec', open)
    if (reasonCode >= 0x80) {
      this.outgoing.delete(packetId)
      open.answered(reasonCode)
      return false
    }
    if (open.state === 'sent') open.answered(reasonCode)
    open.state = 'released'
    open.sentAtMs = performance.now()
    return true
  }

  /** PUBACK or PUBCOMP. */
  finished(type: 'puback' | 'pubcomp', packetId: number, reasonCode: number): void {
    const open = this.outgoing.get(packetId)
    const expected = open?.publish.qos === 1 ? 'puback' : open?.state === 'released' ? 'pubcomp' : 'pubrec'
    if (open === undefined || type !== expected) {
      this.journal.violation(`${this.name}: ${type} for ${packetId}, where ${open ? expected : 'nothing'} was due`)
      return
    }
    if (type === 'puback') this.compareOrder(type, open)
    this.outgoing.delete(packetId)
    if (type === 'puback') open.answered(reasonCode)
  }

  /** MQTT-4.6.0-2 and -3: so one that is withheld is noticed with the next. */
  private compareOrder(type: 'puback' | 'pubrec', { packetId, publish }: Open): void {
    for (const before of this.outgoing.values()) {
      if (before.packetId === packetId) return
      if (before.state !== 'sent' || before.publish.qos !== publish.qos) continue
      this.journal.violation(`${this.name}: ${type} for ${packetId} before that for ${before.packetId}`)
      return
    }
  }

  /** False: a QoS 2 message that is known already. */
  isNew(packet: ReceivedPacket): boolean {
    if (packet.qos !== 2) return true
    const { packetId, topic, payload } = packet
    const content = `${topic} ${payload}`
    const known = this.incoming.get(packetId)
    this.incoming.set(packetId, content)
    if (known === undefined) return true
    if (known !== content) {
      this.journal.violation(`${this.name}: ${packetId} came for ${topic} while it was not released for ${known}`)
    } else if (!packet.dup) {
      this.journal.violation(`${this.name}: ${packetId} for ${topic} came again without DUP`)
    }
    return false
  }

  released(packetId: number): void {
    this.incoming.delete(packetId)
  }

  /** The broker has no such session: nothing that it could repeat. */
  forget(): void {
    this.incoming.clear()
  }
}
