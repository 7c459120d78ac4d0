import { SluiceError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import { NUMBER_MAX } from '../store/keys.ts'
import { decodeMessage, encodeMessage } from '../store/message-record.ts'

/** A will message with what decides when it goes out (MQTT 5, section 3.1.2.5). */
export interface Will {
  readonly message: Message
  /** Counted from the end of the connection, and cut short by the end of the session. */
  readonly delaySeconds: number
  /** Message expiry interval; undefined: does not expire. Counted from when the will is published. */
  readonly expirySeconds: number | undefined
}

const RECORD_VERSION = 1
const NO_EXPIRY = 0xffffffff
const HEADER_BYTES = 1 + 8 + 4 + 4 + 2

/** version u8, due f64 (ms since 1970, 0: connected), delay u32 s, expiry u32 s (all ones: none), client id, message. */
export function encodeWill(clientId: string, will: Will, dueAtMs: number): Buffer {
  const idBytes = Buffer.byteLength(clientId)
  const header = Buffer.allocUnsafe(HEADER_BYTES + idBytes)
  header[0] = RECORD_VERSION
  header.writeDoubleBE(dueAtMs, 1)
  header.writeUInt32BE(will.delaySeconds, 9)
  header.writeUInt32BE(will.expirySeconds === undefined ? NO_EXPIRY : Math.min(will.expirySeconds, NO_EXPIRY - 1), 13)
  header.writeUInt16BE(idBytes, 17)
  header.write(clientId, HEADER_BYTES)
  return Buffer.concat([header, encodeMessage(will.message)])
}

export function decodeWill(record: Buffer): { clientId: string; will: Will; dueAtMs: number } {
  if (record.length < HEADER_BYTES || record[0] !== RECORD_VERSION) {
    throw new SluiceError('STORE_RECORD_DAMAGED', `a stored will cannot be read (version ${record[0]})`)
  }
  const idEnd = HEADER_BYTES + record.readUInt16BE(17)
  const expiry = record.readUInt32BE(13)
  const clientId = record.toString('utf8', HEADER_BYTES, idEnd)
  const dueAtMs = record.readDoubleBE(1)
  if (!(dueAtMs >= 0 && dueAtMs < NUMBER_MAX)) {
    throw new SluiceError('STORE_RECORD_DAMAGED', `the stored will of '${clientId}' cannot be read (due ${dueAtMs})`)
  }
  return {
    clientId,
    dueAtMs,
    will: {
      message: decodeMessage(record.subarray(idEnd)).own(),
      delaySeconds: record.readUInt32BE(9),
      expirySeconds: expiry === NO_EXPIRY ? undefined : expiry,
    },
  }
}
