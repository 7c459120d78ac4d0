/** Stands for exactly one level: `+` in MQTT, `*` in AMQP. A number, so that no level's text can be mistaken for it. */
export const SINGLE = 0
/** Stands for any number of levels, none included: `#` in MQTT (there only at the end) and in AMQP. */
export const MULTI = 1

export type Level = string | typeof SINGLE | typeof MULTI

/** A topic filter or an AMQP binding key, taken apart. A pattern without wildcards is a topic. */
export type Pattern = readonly Level[]

/** Takes a valid MQTT topic filter apart; empty levels are levels (MQTT 5, section 4.7.1.1). */
export function filterLevels(filter: string): Pattern {
  const levels: Level[] = filter.split('/')
  for (let i = 0; i < levels.length; i++) {
    if (levels[i] === '+') levels[i] = SINGLE
    else if (levels[i] === '#') levels[i] = MULTI
  }
  return levels
}

export function topicLevels(topic: string): readonly string[] {
  return topic.split('/')
}

export function hasWildcard(pattern: Pattern): boolean {
  for (const level of pattern) if (typeof level !== 'string') return true
  return false
}

/**
 * Whether `pattern` stands for the levels of a topic from `from` on. At a mismatch only the last MULTI takes one level
 * more, which is enough, so that the time is at most the product of the two lengths.
 */
export function matchesLevels(pattern: Pattern, levels: readonly string[], from: number): boolean {
  let p = 0
  let t = from
  let lastMulti = -1
  let takenUpTo = 0
  while (t < levels.length) {
    const level = pattern[p]
    if (level === MULTI) {
      if (p === pattern.length - 1) return true
      lastMulti = p++
      takenUpTo = t
    } else if (level !== undefined && (level === SINGLE || level === levels[t])) {
      p++
      t++
    } else if (lastMulti >= 0) {
      p = lastMulti + 1
      t = ++takenUpTo
    } else {
      return false
    }
  }
  while (pattern[p] === MULTI) p++
  return p === pattern.length
}
