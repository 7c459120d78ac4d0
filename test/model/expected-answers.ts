import type { ReceivedPacket } from '../support/wire-reader.ts'
import type { ModelClient } from './model-client.ts'

/** The packets other than PUBLISH and PUBREL that are still to come on each connection, in order, as text. */
export class ExpectedAnswers {
  private readonly byClient = new Map<ModelClient, string[]>()

  expect(client: ModelClient, answer: string): void {
    const list = this.byClient.get(client)
    if (list === undefined) this.byClient.set(client, [answer])
    else list.push(answer)
  }

  /** What is wrong with a packet that came; undefined: nothing. */
  take(client: ModelClient, packet: ReceivedPacket): string | undefined {
    const list = this.byClient.get(client)
    const expected = list?.shift() ?? 'nothing'
    if (list?.length === 0) this.byClient.delete(client)
    const actual = answerText(packet)
    return actual === expected ? undefined : `${actual} instead of ${expected}`
  }

  isExpected(client: ModelClient): boolean {
    return this.byClient.has(client)
  }

  clients(): Iterable<ModelClient> {
    return this.byClient.keys()
  }

  missing(): string[] {
    return [...this.byClient.values()].flat()
  }
}

function answerText({ type, packetId, reasonCode, reasonCodes, sessionPresent }: ReceivedPacket): string {
  if (type === 'connack') return `connack ${sessionPresent ? 'present' : 'new'} ${reasonCode}`
  if (type === 'suback' || type === 'unsuback') return `${type} ${packetId} [${reasonCodes.join()}]`
  return type === 'disconnect' ? `disconnect ${reasonCode}` : `${type} ${packetId} ${reasonCode}`
}
