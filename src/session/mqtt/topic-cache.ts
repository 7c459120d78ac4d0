import type { Route } from '../../router/destination.ts'

const SLOTS = 16

/** One topic that a connection published to, with everything that was computed for it. */
export interface CachedTopic {
  readonly bytes: Buffer
  readonly topic: string
  /** Below `$SYS/` or `$queue/`: each message is looked at by itself. */
  readonly isReserved: boolean
  route: Route
}

/**
 * The topics a connection published to lately, found by their bytes: for a device that repeats its topic, neither the
 * string nor the UTF-8 check nor the routing is done again.
 */
export class TopicCache {
  private readonly slots: (CachedTopic | undefined)[] = new Array(SLOTS)

  find(buffer: Buffer, start: number, length: number): CachedTopic | undefined {
    const cached = this.slots[slotOf(buffer, start, length)]
    if (cached === undefined) return undefined
    return equalBytes(cached.bytes, buffer, start, length) ? cached : undefined
  }

  add(buffer: Buffer, start: number, length: number, topic: string, route: Route, isReserved: boolean): CachedTopic {
    const bytes = Buffer.allocUnsafeSlow(length)
    buffer.copy(bytes, 0, start, start + length)
    const cached = { bytes, topic, isReserved, route }
    this.slots[slotOf(buffer, start, length)] = cached
    return cached
  }
}

/** Compares `bytes` with `buffer[start, start + length)`. From the end, where the topics of a device differ. */
export function equalBytes(bytes: Buffer, buffer: Buffer, start: number, length: number): boolean {
  if (bytes.length !== length) return false
  for (let i = length - 1; i >= 0; i--) if (bytes[i] !== buffer[start + i]) return false
  return true
}

function slotOf(buffer: Buffer, start: number, length: number): number {
  if (length === 0) return 0
  const last = buffer[start + length - 1] as number
  const middle = buffer[start + (length >> 1)] as number
  const late = buffer[start + length - 1 - (length >> 2)] as number
  return (length * 7 + last * 5 + middle * 3 + late) & (SLOTS - 1)
}
