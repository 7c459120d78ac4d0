import type { FieldTable } from '../message/field-table.ts'
import { type Binding, bindingIdentity, type Target } from './binding.ts'
import { TOPIC_EXCHANGE } from './dead-letter.ts'
import { DirectMatcher, FanoutMatcher, HeadersMatcher, type Matcher, TopicMatcher } from './matcher.ts'
import { QueueError } from './queue-error.ts'

export type ExchangeType = 'direct' | 'fanout' | 'topic' | 'headers'

export interface ExchangeDefinition {
  readonly name: string
  readonly type: ExchangeType
  readonly durable: boolean
  /** Goes when its last binding goes. */
  readonly autoDelete: boolean
  /** Nobody publishes to it but other exchanges and dead letters. */
  readonly internal: boolean
  readonly arguments: FieldTable
}

/** Exchanges that are always there, with their types; they are not stored. */
export const PREDECLARED_EXCHANGES: ReadonlyMap<string, ExchangeType> = new Map<string, ExchangeType>([
  ['', 'direct'],
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  [TOPIC_EXCHANGE, 'topic'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
])
const TYPES: readonly string[] = ['direct', 'fanout', 'topic', 'headers']

export function isExchangeType(type: string): type is ExchangeType {
  return TYPES.includes(type)
}

/** Where messages are published to: it keeps none, its bindings say where each of them goes. */
export class Exchange {
  readonly kind = 'exchange'
  readonly name: string
  readonly definition: ExchangeDefinition
  /** Gets what no binding of this one matched. */
  readonly alternate: string | undefined
  /** By identity: those from this exchange to others. */
  readonly bindings = new Map<string, Binding>()
  /** Those from other exchanges to this one. */
  readonly incoming = new Set<Binding>()
  /** True for those that are there from the start. */
  readonly predeclared: boolean
  private readonly matcher: Matcher

  constructor(definition: ExchangeDefinition, predeclared = false) {
    this.name = definition.name
    this.definition = definition
    this.predeclared = predeclared
    this.matcher = matcherOf(definition.type)
    this.alternate = alternateExchangeOf(definition.name, definition.arguments)
  }

  add(binding: Binding): void {
    this.bindings.set(bindingIdentity(binding.target, binding.key, binding.arguments), binding)
    binding.target.incoming.add(binding)
    this.matcher.add(binding)
  }

  remove(binding: Binding): void {
    this.bindings.delete(bindingIdentity(binding.target, binding.key, binding.arguments))
    binding.target.incoming.delete(binding)
    this.matcher.remove(binding)
  }

  find(target: Target, key: string, args: FieldTable): Binding | undefined {
    return this.bindings.get(bindingIdentity(target, key, args))
  }

  match(key: string, headers: () => FieldTable, found: Set<Target>): void {
    this.matcher.match(key, headers, found)
  }
}

/** Throws 406 where the argument is no name. */
export function alternateExchangeOf(name: string, args: FieldTable): string | undefined {
  const alternate = args.get('alternate-exchange')
  if (alternate === undefined || typeof alternate === 'string') return alternate
  throw new QueueError(406, `invalid arg 'alternate-exchange' for exchange '${name}' in vhost '/'`)
}

function matcherOf(type: ExchangeType): Matcher {
  if (type === 'direct') return new DirectMatcher()
  if (type === 'fanout') return new FanoutMatcher()
  return type === 'topic' ? new TopicMatcher() : new HeadersMatcher()
}
