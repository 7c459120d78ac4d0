import type { Pattern } from './level.ts'

const NO_LEVELS: Pattern = []
const TAILS_MAX = 1024
const SHARED_LEVELS_MAX = 8
/** V8 copies a piece of a string up to this length; a longer one would keep the whole string it was cut from alive. */
const COPIED_LENGTH_MAX = 12

const shared = new Map<string, Pattern>()

/**
 * The levels of `pattern` from `from` on, for keeping. A million devices have the same few tails (`temp`, `cmd/#`), so
 * recent ones are shared. Forgetting them costs memory only, so there is no count of who uses which.
 */
export function tailOf(pattern: Pattern, from: number): Pattern {
  if (from === pattern.length) return NO_LEVELS
  if (pattern.length - from > SHARED_LEVELS_MAX) return pattern.slice(from)
  let key = ''
  for (let i = from; i < pattern.length; i++) {
    const level = pattern[i]
    if (typeof level === 'string' && level.length > COPIED_LENGTH_MAX) return pattern.slice(from)
    key += `/${level}`
  }
  const known = shared.get(key)
  if (known !== undefined && isTail(known, pattern, from)) return known
  const tail = pattern.slice(from)
  if (shared.size >= TAILS_MAX) shared.clear()
  shared.set(key, tail)
  return tail
}

/** Whether `tail` is what `pattern` holds from `from` on. */
export function isTail(tail: Pattern, pattern: Pattern, from: number): boolean {
  if (tail.length !== pattern.length - from) return false
  for (let i = 0; i < tail.length; i++) if (tail[i] !== pattern[from + i]) return false
  return true
}
