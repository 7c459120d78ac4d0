/** An alias for one PUBLISH: `known` when the client has been told it before, so that the topic can be left out. */
export interface OutgoingAlias {
  readonly number: number
  readonly known: boolean
}

/**
 * The aliases the broker gives to topics it sends to one client (MQTT 5, section 3.3.2.3.4). The first topics get
 * them and keep them: a device or a dashboard has a few topics that repeat.
 */
export class OutgoingAliases {
  private readonly max: number
  private readonly known = new Map<string, OutgoingAlias>()

  /** `max`: Topic Alias Maximum of the client's CONNECT, cut to the broker's own limit. */
  constructor(max: number) {
    this.max = max
  }

  /** Undefined: all aliases are given to other topics. */
  use(topic: string): OutgoingAlias | undefined {
    const alias = this.known.get(topic)
    if (alias !== undefined) return alias
    if (this.known.size >= this.max) return undefined
    const number = this.known.size + 1
    this.known.set(topic, { number, known: true })
    return { number, known: false }
  }

  /** The PUBLISH that should have told the latest alias was not sent. */
  forget(topic: string): void {
    this.known.delete(topic)
  }
}
