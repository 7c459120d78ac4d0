import { SluiceError } from '../../base/errors.ts'
import type { QoS } from '../../message/qos.ts'
import type { Subscription } from '../../router/destination.ts'

/** A subscription as the client made it. */
export interface ClientSubscription extends Subscription {
  /** As sent by the client, `$share/name/` included: its key within the session. */
  readonly requested: string
  /** Share name; empty for a subscription of the client's own. */
  readonly shareName: string
  readonly retainHandling: 0 | 1 | 2
}

const RECORD_VERSION = 1
const QOS_MASK = 0x03
const NO_LOCAL = 0x04
const RETAIN_AS_PUBLISHED = 0x08
const RETAIN_HANDLING_SHIFT = 4
const RETAIN_HANDLING_MAX = 2
/** The largest that fits a variable byte integer (MQTT 5, section 1.5.5): a larger one could not be sent. */
const IDENTIFIER_MAX = 268_435_455

/**
 * version u8, options u8 (as in SUBSCRIBE, MQTT 5 section 3.8.3.1), subscription identifier u32. The filter is in
 * the key.
 */
export function encodeSubscription(subscription: ClientSubscription): Buffer {
  const record = Buffer.allocUnsafe(6)
  record[0] = RECORD_VERSION
  record[1] =
    subscription.qos |
    (subscription.noLocal ? NO_LOCAL : 0) |
    (subscription.retainAsPublished ? RETAIN_AS_PUBLISHED : 0) |
    (subscription.retainHandling << RETAIN_HANDLING_SHIFT)
  record.writeUInt32BE(subscription.identifier, 2)
  return record
}

export function decodeSubscription(
  requested: string,
  filter: string,
  shareName: string,
  record: Buffer,
): ClientSubscription {
  if (record.length !== 6 || record[0] !== RECORD_VERSION) throw damaged(requested, `version ${record[0]}`)
  const options = record.readUInt8(1)
  const retainHandling = options >> RETAIN_HANDLING_SHIFT
  const identifier = record.readUInt32BE(2)
  if ((options & QOS_MASK) === 3) throw damaged(requested, 'QoS 3')
  // The two bits above it are none that SUBSCRIBE has.
  if (retainHandling > RETAIN_HANDLING_MAX) throw damaged(requested, `retain handling ${retainHandling}`)
  if (identifier > IDENTIFIER_MAX) throw damaged(requested, `subscription identifier ${identifier}`)
  return {
    requested,
    filter,
    shareName,
    qos: (options & QOS_MASK) as QoS,
    noLocal: (options & NO_LOCAL) !== 0,
    retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
    identifier,
  }
}

function damaged(requested: string, what: string): SluiceError {
  return new SluiceError('STORE_RECORD_DAMAGED', `the stored subscription to '${requested}' cannot be read (${what})`)
}

// About what a subscription takes in the session, in the trie and in the store beside its filter.
const SUBSCRIPTION_BYTES = 200

/** What a subscription counts against the limits; `requested` as in SUBSCRIBE. */
export function subscriptionBytes(requested: string): number {
  return SUBSCRIPTION_BYTES + Buffer.byteLength(requested)
}
