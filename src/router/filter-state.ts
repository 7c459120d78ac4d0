import { type Level, MULTI, type Pattern, SINGLE } from './level.ts'

/**
 * How far a pattern has got along a topic: the places in it that may come next. Successors are made when first asked
 * for and kept, so that walking a million topics with one filter makes a handful of states.
 */
export class FilterState {
  /** The topic may end here. */
  readonly accepting: boolean
  /** Texts of levels that lead on in a way of their own. */
  readonly texts: readonly string[]
  private readonly pattern: Pattern
  private readonly places: readonly number[]
  private readonly everything: boolean
  private readonly byText: Map<string, FilterState | undefined> | undefined
  private othersKnown: FilterState | undefined = undefined
  private othersMade = false

  private constructor(pattern: Pattern, places: readonly number[]) {
    this.pattern = pattern
    this.places = places
    this.accepting = places.includes(pattern.length)
    this.everything = pattern.at(-1) === MULTI && places.includes(pattern.length - 1)
    this.texts = this.everything ? [] : textsAt(pattern, places)
    this.byText = this.texts.length === 0 ? undefined : new Map()
  }

  static start(pattern: Pattern): FilterState {
    return new FilterState(pattern, withoutLevels(pattern, [0]))
  }

  /** The state after a level that is none of `texts`; undefined: no topic goes on so. */
  get others(): FilterState | undefined {
    if (this.everything) return this
    if (!this.othersMade) {
      this.othersMade = true
      this.othersKnown = this.after(undefined)
    }
    return this.othersKnown
  }

  next(level: string): FilterState | undefined {
    const { byText } = this
    if (byText === undefined || !this.texts.includes(level)) return this.others
    const known = byText.get(level)
    if (known !== undefined) return known
    const made = this.after(level)
    byText.set(level, made)
    return made
  }

  /** Whether a topic that goes on with `levels` and ends there is matched. */
  acceptsTail(levels: Pattern): boolean {
    let state: FilterState | undefined = this
    for (const level of levels) {
      if (state.everything) return true
      state = state.next(level as string)
      if (state === undefined) return false
    }
    return state.accepting
  }

  private after(text: string | undefined): FilterState | undefined {
    const places: number[] = []
    for (const place of this.places) {
      const level = this.pattern[place]
      if (level === MULTI) places.push(place)
      else if (level === SINGLE || (level !== undefined && level === text)) places.push(place + 1)
    }
    return places.length === 0 ? undefined : new FilterState(this.pattern, withoutLevels(this.pattern, places))
  }
}

/** Adds the places that are reached when a MULTI stands for no level. */
function withoutLevels(pattern: Pattern, places: readonly number[]): readonly number[] {
  const all = new Set<number>()
  for (let place of places) {
    all.add(place)
    while (pattern[place] === MULTI) all.add(++place)
  }
  return [...all]
}

function textsAt(pattern: Pattern, places: readonly number[]): readonly string[] {
  const texts = new Set<string>()
  for (const place of places) {
    const level: Level | undefined = pattern[place]
    if (typeof level === 'string') texts.add(level)
  }
  return [...texts]
}
