import type { Owners, RecordKind, RecordKinds } from '../store/account.ts'
import {
  BLOCK_KEY_BYTES,
  DELAYED_KEY_BYTES,
  isTextKey,
  KIND_BINDING,
  KIND_DELAYED,
  KIND_EXCHANGE,
  KIND_QUEUE,
  KIND_REDELIVERY,
  KIND_SEEN,
  messageIdOfKey,
  numberOfKey,
  readU48,
  seenKey,
  stringOfKey,
} from '../store/keys.ts'
import { decodeMessage } from '../store/message-record.ts'
import { PREDECLARED_EXCHANGES } from './exchange.ts'
import { decodeBinding, decodeExchange, decodeQueue } from './queue-definition.ts'
import { readSettings } from './queue-settings.ts'

// Version, times u32, retries u16; a delayed message has u48 more, and then the message.
const REDELIVERY_BYTES = 7
const DELAYED_BYTES = 13
const SEEN_BYTES = 6
const VERSION = 1
const WRONG_LENGTH = 'its key has the wrong length'
const NO_TEXT = 'its key is no text'

const queues: RecordKind = {
  name: 'queue definitions',
  claim(key, value, owners) {
    if (!isTextKey(key)) return
    const name = stringOfKey(key)
    const { definition, number, firstFifoId } = decodeQueue(name, value)
    const { maxPriority } = readSettings(definition, definition.arguments)
    for (let level = 0; level <= maxPriority; level++) owners.fifos.add(firstFifoId + level)
    owners.queueNames.add(name)
    owners.queueNumbers.add(number)
  },
  missing(key, value) {
    decodeQueue(stringOfKey(key), value)
    return isTextKey(key) ? undefined : NO_TEXT
  },
}

const exchanges: RecordKind = {
  name: 'exchanges',
  claim(key, value, owners) {
    const { name } = decodeExchange(stringOfKey(key), value)
    if (isTextKey(key)) owners.exchangeNames.add(name)
  },
  missing(key, value) {
    decodeExchange(stringOfKey(key), value)
    return isTextKey(key) ? undefined : NO_TEXT
  },
}

const bindings: RecordKind = {
  name: 'bindings',
  missing(key, value) {
    decodeBinding(value, key)
    return undefined
  },
  unused(key, value, owners) {
    const { source, targetKind, target } = decodeBinding(value, key)
    if (!hasExchange(source, owners)) return `the exchange '${source}' is gone`
    const hasTarget = targetKind === 'queue' ? owners.queueNames.has(target) : hasExchange(target, owners)
    return hasTarget ? undefined : `the ${targetKind} '${target}' is gone`
  },
}

const redeliveries: RecordKind = {
  name: 'redelivery counts',
  missing(key, value) {
    if (key.length !== BLOCK_KEY_BYTES) return WRONG_LENGTH
    return value.length === REDELIVERY_BYTES && value[0] === VERSION ? undefined : 'it cannot be read'
  },
  unused(key, _value, { fifos }) {
    return fifos.has(numberOfKey(key)) ? undefined : 'of a deleted queue'
  },
}

const delayed: RecordKind = {
  name: 'delayed messages',
  missing(key, value) {
    if (key.length !== DELAYED_KEY_BYTES) return WRONG_LENGTH
    return value[0] === VERSION ? undefined : `it cannot be read (version ${value[0]})`
  },
  message: (value) => decodeMessage(value, DELAYED_BYTES),
  unused: unusedByQueue,
}

const seen: RecordKind = {
  name: 'message identifiers seen',
  missing(key, value) {
    if (!key.equals(seenKey(numberOfKey(key), messageIdOfKey(key)))) return NO_TEXT
    return value.length === SEEN_BYTES && readU48(value, 0) > 0 ? undefined : 'it cannot be read'
  },
  unused: unusedByQueue,
}

/** What queues keep in the store, for who checks it. */
export const queueRecordKinds: RecordKinds = new Map([
  [KIND_QUEUE, queues],
  [KIND_EXCHANGE, exchanges],
  [KIND_BINDING, bindings],
  [KIND_REDELIVERY, redeliveries],
  [KIND_DELAYED, delayed],
  [KIND_SEEN, seen],
])

function unusedByQueue(key: Buffer, _value: Buffer, { queueNumbers }: Owners): string | undefined {
  return queueNumbers.has(numberOfKey(key)) ? undefined : 'of a deleted queue'
}

function hasExchange(name: string, { exchangeNames }: Owners): boolean {
  return PREDECLARED_EXCHANGES.has(name) || exchangeNames.has(name)
}
