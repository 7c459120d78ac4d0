import type { FieldTable } from '../message/field-table.ts'
import { MULTI, type Pattern, SINGLE } from '../router/level.ts'
import { TopicTrie } from '../router/topic-trie.ts'
import type { Binding, Target } from './binding.ts'
import { matchesHeaders } from './headers-match.ts'

/** How an exchange of one type finds the bindings that a message goes by. */
export interface Matcher {
  add(binding: Binding): void
  remove(binding: Binding): void
  /** Adds the targets to `found`. `headers` is asked for only where they matter. */
  match(key: string, headers: () => FieldTable, found: Set<Target>): void
}

/** Bindings that lie at one place, in the order of binding. */
type Bucket = Set<Binding>

export class DirectMatcher implements Matcher {
  private readonly byKey = new Map<string, Bucket>()

  add(binding: Binding): void {
    const bucket = this.byKey.get(binding.key)
    if (bucket === undefined) this.byKey.set(binding.key, new Set([binding]))
    else bucket.add(binding)
  }

  remove(binding: Binding): void {
    const bucket = this.byKey.get(binding.key)
    bucket?.delete(binding)
    if (bucket?.size === 0) this.byKey.delete(binding.key)
  }

  match(key: string, _headers: () => FieldTable, found: Set<Target>): void {
    for (const binding of this.byKey.get(key) ?? []) found.add(binding.target)
  }
}

export class FanoutMatcher implements Matcher {
  private readonly bindings: Bucket = new Set()

  add(binding: Binding): void {
    this.bindings.add(binding)
  }

  remove(binding: Binding): void {
    this.bindings.delete(binding)
  }

  match(_key: string, _headers: () => FieldTable, found: Set<Target>): void {
    for (const binding of this.bindings) found.add(binding.target)
  }
}

export class TopicMatcher implements Matcher {
  // `$` means nothing to AMQP.
  private readonly trie = new TopicTrie<Bucket>({ dollarHidden: false })

  add(binding: Binding): void {
    const pattern = patternOfKey(binding.key)
    const bucket = this.trie.get(pattern)
    if (bucket === undefined) this.trie.set(pattern, new Set([binding]))
    else bucket.add(binding)
  }

  remove(binding: Binding): void {
    const pattern = patternOfKey(binding.key)
    const bucket = this.trie.get(pattern)
    bucket?.delete(binding)
    if (bucket?.size === 0) this.trie.delete(pattern)
  }

  match(key: string, _headers: () => FieldTable, found: Set<Target>): void {
    const buckets: Bucket[] = []
    this.trie.match(key.split('.'), buckets)
    for (const bucket of buckets) for (const binding of bucket) found.add(binding.target)
  }
}

export class HeadersMatcher implements Matcher {
  private readonly bindings: Bucket = new Set()

  add(binding: Binding): void {
    this.bindings.add(binding)
  }

  remove(binding: Binding): void {
    this.bindings.delete(binding)
  }

  match(_key: string, headers: () => FieldTable, found: Set<Target>): void {
    if (this.bindings.size === 0) return
    const present = headers()
    for (const binding of this.bindings) {
      if (!found.has(binding.target) && matchesHeaders(binding.arguments, present)) found.add(binding.target)
    }
  }
}

function patternOfKey(key: string): Pattern {
  return key.split('.').map((word) => (word === '*' ? SINGLE : word === '#' ? MULTI : word))
}
