import type { z } from 'zod'
import { keysAt } from './keys.ts'

/** What is wrong with one value, and where. */
export interface Problem {
  readonly path: readonly PropertyKey[]
  /** Set when the key itself is wrong, not its value; not part of `path`. */
  readonly unknownKey: string | undefined
  readonly text: string
}

/** The first problem in words for a person; the others come up when this one is mended. */
export function describeProblem(error: z.ZodError, value: unknown): Problem {
  const issue = firstIssue(error.issues)
  if (issue === undefined) return { path: [], unknownKey: undefined, text: error.message }
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    return { path: issue.path, unknownKey: key, text: unknownKeyText(key, keysAt(issue.path)) }
  }
  return { path: issue.path, unknownKey: undefined, text: `${expectation(issue)}, got ${shown(at(value, issue.path))}` }
}

/** Of the ways in which a value may be written, the one that the user seems to have meant. */
function firstIssue(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  const issue = issues[0]
  if (issue?.code !== 'invalid_union') return issue
  const ways = issue.errors
    .map((way) => way.find(({ code }) => code === 'unrecognized_keys') ?? firstIssue(way))
    .filter((way) => way !== undefined)
  const meant = ways.find(({ code, path }) => code !== 'invalid_type' || path.length > 0)
  return meant === undefined ? issue : { ...meant, path: [...issue.path, ...meant.path] }
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `expected one of ${issue.values.join(', ')}`
  if (issue.code === 'too_small') {
    return issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`
  }
  if (issue.code === 'too_big') {
    if (issue.origin === 'array') return `must have at most ${issue.maximum} items`
    return issue.origin === 'string'
      ? `must have at most ${issue.maximum} characters`
      : `must be at most ${issue.maximum}`
  }
  if (issue.code === 'invalid_union') return 'expected a text, or keys and values'
  if (issue.code === 'invalid_type') return `expected ${NAMES.get(issue.expected) ?? issue.expected}`
  return issue.message
}

const NAMES = new Map([
  ['number', 'a whole number'],
  ['int', 'a whole number'],
  ['string', 'a text'],
  ['boolean', 'true or false'],
  ['object', 'keys and values'],
  ['record', 'keys and values'],
  ['array', 'a list'],
])

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value
  for (const part of path) found = (found as Record<PropertyKey, unknown> | undefined)?.[part]
  return found
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'keys and values'
}

/** Names the key that was probably meant, otherwise all that there are. */
export function unknownKeyText(key: string, known: readonly string[]): string {
  const meant = nearest(key, known)
  const help = meant === undefined ? `known are ${known.join(', ')}` : `did you mean '${meant}'?`
  return `unrecognised key '${key}'; ${help}`
}

/** The known name with the fewest edits, if a slip of the finger could explain it. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let fewest = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest) {
      fewest = edits
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    previous = row
  }
  return previous[b.length] ?? 0
}
