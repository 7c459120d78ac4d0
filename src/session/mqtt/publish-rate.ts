import { TokenBucket } from '../../base/token-bucket.ts'
import type { Limits } from '../../config/limits.ts'

/** How much one client publishes in a second, in messages and in bytes of its packets. */
export class PublishRate {
  private readonly messages: TokenBucket | undefined
  private readonly bytes: TokenBucket | undefined

  private constructor(messagesPerSecond: number, bytesPerSecond: number, nowMs: number) {
    this.messages = messagesPerSecond === 0 ? undefined : new TokenBucket(messagesPerSecond, nowMs)
    this.bytes = bytesPerSecond === 0 ? undefined : new TokenBucket(bytesPerSecond, nowMs)
  }

  /** Undefined: neither is limited. */
  static of(limits: Limits, nowMs: number): PublishRate | undefined {
    const { publishesPerSecondMax, publishBytesPerSecondMax } = limits
    if (publishesPerSecondMax === 0 && publishBytesPerSecondMax === 0) return undefined
    return new PublishRate(publishesPerSecondMax, publishBytesPerSecondMax, nowMs)
  }

  /** Counts what was read, and answers for how many milliseconds nothing more is to be read. */
  take(messages: number, bytes: number, nowMs: number): number {
    this.messages?.take(messages)
    this.bytes?.take(bytes)
    return Math.max(this.messages?.waitMs(nowMs) ?? 0, this.bytes?.waitMs(nowMs) ?? 0)
  }
}
