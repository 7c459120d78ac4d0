/** One message as its publisher knows it. Times are places in the one row of events that this process has seen. */
export interface Sent {
  readonly topic: string
  readonly serial: number
  readonly qos: number
  readonly sentAt: number
  /** PUBACK, or the first PUBREC; Infinity: none has come. */
  ackedAt: number
}

const VIOLATIONS_MAX = 20

/** What was sent and what was acknowledged, and where the broker did not keep its word. */
export class Journal {
  readonly violations: string[] = []
  readonly counts = {
    sent: 0,
    acknowledged: 0,
    received: 0,
    duplicates: 0,
    denied: 0,
    wills: 0,
    /** Wills whose delay was over, and sessions whose time was. */
    delays: 0,
    lapses: 0,
    connections: 0,
  }
  private readonly topics = new Map<string, Sent[]>()
  private time = 0

  now(): number {
    return ++this.time
  }

  violation(text: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(text)
  }

  /** The next message of a topic; its serial numbers begin with 1 and have no gaps. */
  send(topic: string, qos: number): Sent {
    const list = this.on(topic)
    const sent = { topic, serial: list.length + 1, qos, sentAt: this.now(), ackedAt: Number.POSITIVE_INFINITY }
    list.push(sent)
    this.counts.sent++
    return sent
  }

  acknowledge(sent: Sent): void {
    if (sent.ackedAt !== Number.POSITIVE_INFINITY) return
    sent.ackedAt = this.now()
    this.counts.acknowledged++
  }

  on(topic: string): Sent[] {
    let list = this.topics.get(topic)
    if (list === undefined) {
      list = []
      this.topics.set(topic, list)
    }
    return list
  }

  /** All topics below a prefix with what was sent to them. */
  below(prefix: string): Sent[][] {
    return [...this.topics].filter(([topic]) => topic.startsWith(prefix)).map(([, list]) => list)
  }
}

/** Payloads carry the serial number, and some bytes more so that messages differ in size. */
export function payloadOf(serial: number, paddingBytes: number): string {
  return `${serial} ${'x'.repeat(paddingBytes)}`
}

export function serialOf(payload: string): number {
  return Number.parseInt(payload, 10)
}
