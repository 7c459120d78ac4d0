import type { QoS } from '../../message/qos.ts'
import type { FifoEntry } from '../../store/fifo-entry.ts'

// What a session stores with an entry of its queue, in 32 bits: the QoS to deliver, RETAIN, that PUBREC has been
// received, and above these the number of the shared group that the message came through.
export const QOS_MASK = 0x03
export const RETAIN = 0x04
export const RELEASED = 0x08
const GROUP_SHIFT = 8

// Packet identifiers follow from the entry's number, so that they are the same after a restart without being stored.
// The upper half of the range is left for messages that do not come from this queue.
const PACKET_IDS = 32_767

/** `groupId`: see `GroupBacklog.id`; 0 for the client's own messages. */
export function markOf(qos: QoS, retain: boolean, groupId: number): number {
  return (qos | (retain ? RETAIN : 0) | (groupId << GROUP_SHIFT)) >>> 0
}

export function groupIdOf(entry: FifoEntry): number {
  return entry.mark >>> GROUP_SHIFT
}

/** Which packet identifier an entry is sent with. */
export function packetIdOf(entry: FifoEntry): number {
  return 1 + (entry.seq % PACKET_IDS)
}
