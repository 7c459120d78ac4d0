import type { Owners, RecordKind, RecordKinds } from '../store/account.ts'
import {
  KIND_BINDING,
  KIND_DELAYED,
  KIND_EXCHANGE,
  KIND_QUEUE,
  KIND_REDELIVERY,
  KIND_SEEN,
  numberOfKey,
  readU48,
  stringOfKey,
} from '../store/keys.ts'
import { decodeMessage } from '../store/message-record.ts'
import { decodeBinding, decodeExchange, decodeQueue } from './queue-definition.ts'

// A queue has a FIFO for each priority, with numbers in a row.
const PRIORITY_MAX = 255
// Version, times u32, retries u16; a delayed message has u48 more, and then the message.
const REDELIVERY_BYTES = 7
const DELAYED_BYTES = 13
const SEEN_BYTES = 6
const VERSION = 1

const queues: RecordKind = {
  name: 'queue definitions',
  claim(key, value, owners) {
    const name = stringOfKey(key)
    const { definition, number, firstFifoId } = decodeQueue(name, value)
    const highest = definition.arguments.get('x-max-priority')
    const levels = typeof highest === 'number' || typeof highest === 'bigint' ? Number(highest) : 0
    for (let level = 0; level <= Math.min(levels, PRIORITY_MAX); level++) owners.fifos.add(firstFifoId + level)
    owners.queueNames.add(name)
    owners.queueNumbers.add(number)
  },
  missing(key, value) {
    decodeQueue(stringOfKey(key), value)
    return undefined
  },
}

const exchanges: RecordKind = {
  name: 'exchanges',
  claim(key, value, owners) {
    const { name } = decodeExchange(stringOfKey(key), value)
    owners.exchangeNames.add(name)
  },
  missing(key, value) {
    decodeExchange(stringOfKey(key), value)
    return undefined
  },
}

const bindings: RecordKind = {
  name: 'bindings',
  missing(_key, value) {
    decodeBinding(value)
    return undefined
  },
  unused(_key, value, owners) {
    const { source, targetKind, target } = decodeBinding(value)
    if (!hasExchange(source, owners)) return `the exchange '${source}' is gone`
    const hasTarget = targetKind === 'queue' ? owners.queueNames.has(target) : hasExchange(target, owners)
    return hasTarget ? undefined : `the ${targetKind} '${target}' is gone`
  },
}

const redeliveries: RecordKind = {
  name: 'redelivery counts',
  missing(_key, value) {
    return value.length === REDELIVERY_BYTES && value[0] === VERSION ? undefined : 'it cannot be read'
  },
  unused(key, _value, { fifos }) {
    return fifos.has(numberOfKey(key)) ? undefined : 'of a deleted queue'
  },
}

const delayed: RecordKind = {
  name: 'delayed messages',
  missing(_key, value) {
    if (value[0] !== VERSION) return `it cannot be read (version ${value[0]})`
    decodeMessage(value, DELAYED_BYTES)
    return undefined
  },
  unused: unusedByQueue,
}

const seen: RecordKind = {
  name: 'message identifiers seen',
  missing(_key, value) {
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

// Names that begin so are the broker's own: those exchanges are always there, and not stored.
function hasExchange(name: string, { exchangeNames }: Owners): boolean {
  return name === '' || name.startsWith('amq.') || exchangeNames.has(name)
}
