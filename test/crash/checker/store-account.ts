import { Block } from '../../../src/store/block.ts'
import { decodeData } from '../../../src/store/block-data.ts'
import { decodeHead } from '../../../src/store/fifo-head.ts'
import {
  entrySeq,
  KIND_BODY,
  KIND_BLOCK,
  KIND_BLOCK_DATA,
  KIND_HEAD,
  KIND_INCOMING,
  KIND_META,
  KIND_RETAINED,
  KIND_SESSION,
  KIND_SUBSCRIPTION,
  KIND_WILL,
  numberOfKey,
  parseIncomingKey,
  parseSubscriptionKey,
  readU48,
  stringOfKey,
} from '../../../src/store/keys.ts'
import { decodeMessage } from '../../../src/store/message-record.ts'
import { decodeSession } from '../../../src/session/mqtt/session-record.ts'

const GROUP = 'group:'

/** What is in a store. */
export interface Account {
  /** Filters to which each client is subscribed. */
  readonly sessions: Map<string, Set<string>>
  /** Payload of each topic. */
  readonly retained: Map<string, string>
  /** The clients that they are of. */
  readonly wills: string[]
  incoming: number
  entries: number
  bodies: number
  heads: number
  /** Queue and number of each entry. */
  readonly left: string[]
  /** Keys that belong to nothing. */
  readonly problems: string[]
}

/** Says for every key in a store to what it belongs, and which belong to nothing. */
export function accountFor(rows: readonly (readonly [key: Buffer, value: Buffer])[]): Account {
  const account: Account = {
    sessions: new Map(),
    retained: new Map(),
    wills: [],
    incoming: 0,
    entries: 0,
    bodies: 0,
    heads: 0,
    left: [],
    problems: [],
  }
  const { sessions } = account
  const owners = new Set<number>()
  const names = new Map<number, string>()
  const subscribed = new Set<string>()
  const heads = new Map<number, { headSeq: number; reservedSeq: number; doomed: boolean }>()
  const bodies = new Set<number>()
  const used = new Set<number>()
  const each = (kind: number, use: (key: Buffer, value: Buffer) => void): void => {
    for (const [key, value] of rows) if (key[0] === kind) use(key, value)
  }
  const problem = (text: string): void => void account.problems.push(text)
  each(KIND_SESSION, (key, value) => {
    sessions.set(stringOfKey(key), new Set())
    const { number } = decodeSession(value)
    names.set(number, stringOfKey(key))
    if (owners.has(number)) problem(`two owners of the queue ${number}`)
    owners.add(number)
  })
  each(KIND_SUBSCRIPTION, (key) => {
    const { clientId, filter } = parseSubscriptionKey(key)
    const filters = sessions.get(clientId)
    if (filters === undefined) problem(`a subscription of ${clientId}, which has no session`)
    filters?.add(filter)
    if (filter.startsWith('$share/')) subscribed.add(filter.slice('$share/'.length))
  })
  each(KIND_META, (key, value) => {
    const name = stringOfKey(key)
    if (!name.startsWith(GROUP)) return
    if (!subscribed.has(name.slice(GROUP.length))) problem(`${name} without a member`)
    for (const number of [readU48(value, 0), readU48(value, 6)]) {
      if (owners.has(number)) problem(`two owners of the queue ${number}`)
      owners.add(number)
    }
  })
  each(KIND_WILL, (key) => account.wills.push(stringOfKey(key)))
  each(KIND_RETAINED, (key, value) => {
    account.retained.set(stringOfKey(key), decodeMessage(value).payload.toString())
  })
  each(KIND_INCOMING, (key) => {
    account.incoming++
    const { sessionNumber } = parseIncomingKey(key)
    if (!owners.has(sessionNumber))
      problem(`an incoming identifier of the session ${sessionNumber}, which is not there`)
  })
  each(KIND_HEAD, (key, value) => {
    account.heads++
    const head = decodeHead(value)
    heads.set(numberOfKey(key), head)
    if (!owners.has(numberOfKey(key)) && !head.doomed) problem(`the head ${numberOfKey(key)} has no owner`)
  })
  each(KIND_BODY, (key) => {
    account.bodies++
    bodies.add(numberOfKey(key))
  })
  const data = new Map<string, Buffer>()
  each(KIND_BLOCK_DATA, (key, value) => data.set(key.toString('hex', 1), value))
  each(KIND_BLOCK, (key, value) => {
    const fifoId = readU48(key, 1)
    const head = heads.get(fifoId)
    const block = Block.decode(entrySeq(key), value)
    const apart = data.get(key.toString('hex', 1))
    data.delete(key.toString('hex', 1))
    if ((apart !== undefined) !== (block.dataBytes > 0 && block.inside === undefined)) {
      problem(`the block ${fifoId}/${block.firstSeq} has data that it should not have, or the other way round`)
    }
    let bytes = 0
    const failed = (error: unknown): void => problem(`in the block ${fifoId}/${block.firstSeq}: ${String(error)}`)
    for (const entry of decodeData(block, block.inside ?? apart, 0, failed)) {
      const { seq, bodyId } = entry
      account.entries++
      bytes += entry.bytes
      account.left.push(`${names.get(fifoId) ?? fifoId} ${seq}`)
      if (head === undefined) problem(`the entry ${fifoId}/${seq} has no head`)
      else if (seq < head.headSeq || seq >= head.reservedSeq) problem(`the entry ${fifoId}/${seq} is outside its head`)
      if (bodyId === 0) continue
      used.add(bodyId)
      if (!bodies.has(bodyId)) problem(`the entry ${fifoId}/${seq} has lost its message ${bodyId}`)
    }
    if (bytes !== block.liveBytes)
      problem(`the block ${fifoId}/${block.firstSeq} counts ${block.liveBytes} of ${bytes}`)
  })
  for (const name of data.keys()) problem(`the data ${name} belongs to no block`)
  for (const bodyId of bodies) if (!used.has(bodyId)) problem(`the message ${bodyId} belongs to no queue`)
  const known = new Set([
    KIND_META,
    KIND_SESSION,
    KIND_SUBSCRIPTION,
    KIND_WILL,
    KIND_RETAINED,
    KIND_INCOMING,
    KIND_HEAD,
    KIND_BLOCK,
    KIND_BLOCK_DATA,
    KIND_BODY,
  ])
  for (const [key] of rows) if (!known.has(key[0] ?? 0)) problem(`a key of an unknown kind: ${key.toString('hex')}`)
  return account
}
