import { SluiceError } from '../../base/errors.ts'
import { NUMBER_MAX, readU48, writeU48 } from '../../store/keys.ts'

/** What is stored of a session besides its subscriptions, its queue and its incoming packet identifiers. */
export interface SessionRecord {
  /** Number of the session's keys in the store, and of its queue. */
  readonly number: number
  /** As in MQTT 5, section 3.1.2.11.2; 0xFFFFFFFF: never. */
  readonly expirySeconds: number
  /** Wall time at which the connection ended; 0: it was connected when this was written. */
  readonly disconnectedAtMs: number
}

const RECORD_VERSION = 1

/** version u8, number u48, expiry u32 s, disconnected f64 (ms since 1970). */
export function encodeSession(session: SessionRecord): Buffer {
  const record = Buffer.allocUnsafe(19)
  record[0] = RECORD_VERSION
  writeU48(record, session.number, 1)
  record.writeUInt32BE(session.expirySeconds, 7)
  record.writeDoubleBE(session.disconnectedAtMs, 11)
  return record
}

export function decodeSession(record: Buffer): SessionRecord {
  if (record.length !== 19 || record[0] !== RECORD_VERSION) {
    throw new SluiceError('STORE_RECORD_DAMAGED', `a stored session cannot be read (version ${record[0]})`)
  }
  const number = readU48(record, 1)
  const disconnectedAtMs = record.readDoubleBE(11)
  // Written so that NaN is refused too.
  if (number === 0 || !(disconnectedAtMs >= 0 && disconnectedAtMs < NUMBER_MAX)) {
    throw new SluiceError('STORE_RECORD_DAMAGED', `stored session ${number} cannot be read (time ${disconnectedAtMs})`)
  }
  return { number, expirySeconds: record.readUInt32BE(7), disconnectedAtMs }
}
