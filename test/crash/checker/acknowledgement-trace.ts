import { packetSize } from '../../support/wire-reader.ts'
import type { Call } from './system-calls.ts'

const PUBLISH = 3
const PUBACK = 4
const PUBREC = 5
const PUBCOMP = 7

/** An acknowledgement as it left the process. */
export interface Acknowledgement {
  readonly type: 'PUBACK' | 'PUBREC' | 'PUBCOMP'
  readonly packetId: number
  /** Whether a sync that began after its record was written had ended before it went out. */
  readonly isCovered: boolean
}

/**
 * Finds in a trace the acknowledgements for the packet identifiers in `payloads`, none of which is used twice, and
 * whether each went out behind the sync of what it promises: for PUBACK and PUBREC the payload in the log of the
 * database, for PUBCOMP the deletion of the packet identifier.
 */
export function acknowledgementsIn(calls: readonly Call[], payloads: ReadonlyMap<number, string>): Acknowledgement[] {
  const logs = calls.filter(({ name, file }) => name === 'write' && file.endsWith('.log'))
  const syncs = calls.filter(({ name, file }) => name === 'fdatasync' && file.endsWith('.log'))
  const storedAt = (pattern: Buffer): number => {
    const written = logs.find(({ bytes }) => bytes.includes(pattern))
    const sync = written && syncs.find(({ begin, file }) => file === written.file && begin > written.end)
    return sync?.end ?? Number.POSITIVE_INFINITY
  }
  const found: Acknowledgement[] = []
  for (const { name, file, bytes, begin } of calls) {
    if (!/^(write|writev|sendto|sendmsg)$/.test(name) || !file.startsWith('socket:')) continue
    for (let at = 0, size = 0; at < bytes.length; at += size) {
      size = packetSize(bytes, at)
      if (size === 0) break
      const type = (bytes[at] ?? 0) >> 4
      if (type === PUBLISH || size < 4) continue
      const packetId = bytes.readUInt16BE(at + 2)
      const payload = payloads.get(packetId)
      if (payload === undefined) continue
      if (type === PUBACK || type === PUBREC) {
        const isCovered = storedAt(Buffer.from(payload)) < begin
        found.push({ type: type === PUBACK ? 'PUBACK' : 'PUBREC', packetId, isCovered })
      } else if (type === PUBCOMP) {
        found.push({ type: 'PUBCOMP', packetId, isCovered: storedAt(deletionOf(packetId, logs)) < begin })
      }
    }
  }
  return found
}

/** The record in LevelDB's log by which an incoming packet identifier is deleted (docs/store-format.md). */
function deletionOf(packetId: number, logs: readonly Call[]): Buffer {
  const end = packetId.toString(16).padStart(4, '0')
  const put = new RegExp(`010914([0-9a-f]{12})${end}00`)
  for (const { bytes } of logs) {
    const number = put.exec(bytes.toString('hex'))?.[1]
    if (number !== undefined) return Buffer.from(`000914${number}${end}`, 'hex')
  }
  return Buffer.from('it was never stored')
}
