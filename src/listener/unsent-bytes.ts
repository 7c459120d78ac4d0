import type { Duplex } from 'node:stream'

/**
 * A number that changes whenever the kernel takes something of what was written. `writableLength` alone counts a write
 * until all of it is gone, however large it is; Node's own timeouts look at its handle too.
 */
export function unsentBytes(conn: Duplex): number {
  const { _handle: handle } = conn as { _handle?: { writeQueueSize?: number } | null }
  return conn.writableLength + (handle?.writeQueueSize ?? 0)
}
