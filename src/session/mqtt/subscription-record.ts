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
    (subscription.retainHandling << 4)
  record.writeUInt32BE(subscription.identifier, 2)
  return record
}

export function decodeSubscription(
  requested: string,
  filter: string,
  shareName: string,
  record: Buffer,
): ClientSubscription {
  if (record.length !== 6 || record[0] !== RECORD_VERSION || (record.readUInt8(1) & QOS_MASK) === 3) {
    throw new SluiceError('STORE_RECORD_DAMAGED', `a stored subscription cannot be read (version ${record[0]})`)
  }
  const options = record.readUInt8(1)
  return {
    requested,
    filter,
    shareName,
    qos: (options & 0x03) as QoS,
    noLocal: (options & NO_LOCAL) !== 0,
    retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: ((options >> 4) & 0x03) as 0 | 1 | 2,
    identifier: record.readUInt32BE(2),
  }
}

// About what a subscription takes in the session, in the trie and in the store beside its filter.
const SUBSCRIPTION_BYTES = 200

/** What a subscription counts against the limits; `requested` as in SUBSCRIBE. */
export function subscriptionBytes(requested: string): number {
  return SUBSCRIPTION_BYTES + Buffer.byteLength(requested)
}
