/** Longest topic name or filter in UTF-8 bytes: its length travels in two bytes (MQTT-4.7.3-3). */
export const TOPIC_BYTES_MAX = 0xffff

const SLASH = 0x2f
const PLUS = 0x2b
const HASH = 0x23

/**
 * What is wrong with a topic name (MQTT 5, section 4.7), as the end of a sentence that begins with "the topic name";
 * undefined when nothing is.
 */
export function topicNameProblem(topic: string): string | undefined {
  if (topic.length === 0) return 'is empty' // MQTT-4.7.3-1
  for (let index = 0; index < topic.length; index++) {
    const unit = topic.charCodeAt(index)
    if (unit === PLUS || unit === HASH) return 'contains a wildcard' // MQTT-3.3.2-2
    if (unit === 0) return 'contains U+0000' // MQTT-4.7.3-2
    if ((unit & 0xf800) === 0xd800) {
      if (!isPair(topic, index)) return 'contains half a surrogate pair' // MQTT-1.5.4-1
      index++
    }
  }
  return isTooLong(topic) ? `is longer than ${TOPIC_BYTES_MAX} bytes` : undefined
}

/** Number of levels: `a/b` has 2, `/` has 2, and an empty string has 1. */
export function levelCount(topic: string): number {
  let levels = 1
  for (let index = 0; index < topic.length; index++) {
    if (topic.charCodeAt(index) === SLASH) levels++
  }
  return levels
}

/** True when the UTF-16 units at `index` and after it are one character. */
export function isPair(text: string, index: number): boolean {
  const high = text.charCodeAt(index)
  const low = text.charCodeAt(index + 1) // NaN at the end compares false
  return high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff
}

/** True when the UTF-8 form does not fit a length of two bytes. */
export function isTooLong(text: string): boolean {
  // One UTF-16 unit gives at most three bytes, so the bytes of short strings need no counting.
  return text.length * 3 > TOPIC_BYTES_MAX && Buffer.byteLength(text) > TOPIC_BYTES_MAX
}
