import { isPair, isTooLong, TOPIC_BYTES_MAX } from './topic.ts'

const SLASH = 0x2f
const PLUS = 0x2b
const HASH = 0x23
const DOLLAR = 0x24
const SHARE_PREFIX = '$share/'

/** The two parts of `$share/{shareName}/{filter}` (MQTT 5, section 4.8.2). */
export interface SharedFilter {
  shareName: string
  filter: string
}

/**
 * What is wrong with a topic filter (MQTT 5, sections 4.7 and 4.8.2; `$share/…` included), as the end of a sentence
 * that begins with "the topic filter"; undefined when nothing is.
 */
export function topicFilterProblem(filter: string): string | undefined {
  if (filter.length === 0) return 'is empty' // MQTT-4.7.3-1
  for (let index = 0; index < filter.length; index++) {
    const unit = filter.charCodeAt(index)
    if (unit === HASH) {
      if (index !== filter.length - 1) return 'has # before its end' // MQTT-4.7.1-1
      if (!startsLevel(filter, index)) return 'has # within a level'
    } else if (unit === PLUS) {
      const next = index + 1
      const endsLevel = next === filter.length || filter.charCodeAt(next) === SLASH
      if (!endsLevel || !startsLevel(filter, index)) return 'has + within a level' // MQTT-4.7.1-2
    } else if (unit === 0) {
      return 'contains U+0000' // MQTT-4.7.3-2
    } else if ((unit & 0xf800) === 0xd800) {
      if (!isPair(filter, index)) return 'contains half a surrogate pair' // MQTT-1.5.4-1
      index++
    }
  }
  if (isTooLong(filter)) return `is longer than ${TOPIC_BYTES_MAX} bytes`
  return filter.startsWith(SHARE_PREFIX) ? sharedFilterProblem(filter) : undefined
}

/**
 * Share name and filter of `$share/{shareName}/{filter}`; undefined for every other filter.
 * To be asked about filters that have no problem: an ill-formed `$share/…` is undefined here too.
 */
export function parseSharedFilter(filter: string): SharedFilter | undefined {
  if (!filter.startsWith(SHARE_PREFIX) || sharedFilterProblem(filter) !== undefined) return undefined
  const end = filter.indexOf('/', SHARE_PREFIX.length)
  return { shareName: filter.slice(SHARE_PREFIX.length, end), filter: filter.slice(end + 1) }
}

/**
 * True when a topic name matches a filter (MQTT 5, section 4.7). One filter against one topic, level by level:
 * for access rules and as the measure of the router, which answers the same for many filters at once.
 */
export function matches(filter: string, topic: string): boolean {
  // A leading wildcard leaves out topics that begin with $ (MQTT-4.7.2-1).
  if (topic.charCodeAt(0) === DOLLAR && (filter.charCodeAt(0) === PLUS || filter.charCodeAt(0) === HASH)) return false
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (let depth = 0; depth < wanted.length; depth++) {
    // `a/#` matches `a` as well, so that this comes before the end of the topic is looked at.
    if (wanted[depth] === '#') return true
    if (depth === levels.length) return false
    if (wanted[depth] !== '+' && wanted[depth] !== levels[depth]) return false
  }
  return wanted.length === levels.length
}

function startsLevel(filter: string, index: number): boolean {
  return index === 0 || filter.charCodeAt(index - 1) === SLASH
}

function sharedFilterProblem(filter: string): string | undefined {
  const end = filter.indexOf('/', SHARE_PREFIX.length)
  const shareName = end === -1 ? filter.slice(SHARE_PREFIX.length) : filter.slice(SHARE_PREFIX.length, end)
  if (shareName.length === 0) return 'has an empty share name' // MQTT-4.8.2-1
  if (shareName.includes('+') || shareName.includes('#')) return 'has a wildcard in its share name' // MQTT-4.8.2-2
  if (end === -1 || end === filter.length - 1) return 'has nothing after its share name'
  return undefined
}
