import { UsageError } from '../base/errors.ts'
import { placeOf } from '../config/place.ts'
import { unknownKeyText } from '../config/problem.ts'
import type { BindingConfig, ExchangeConfig, QueueConfig } from '../config/queues.ts'
import type { Config } from '../config/schema.ts'
import type { FieldTable, FieldValue } from '../message/field-table.ts'
import { topicFilterProblem } from '../message/filter.ts'
import { keyOfFilter } from '../message/key-topic.ts'
import { fieldValueOf, type PlainTable, type PlainValue, tableOf } from '../message/plain-table.ts'
import { QUEUE_ARGUMENT_NAMES } from '../message/queue-arguments.ts'
import type { ExchangeDefinition } from '../queue/exchange.ts'
import type { QueueDefinition } from '../queue/queue-definition.ts'
import { KNOWN_ARGUMENTS, readSettings } from '../queue/queue-settings.ts'
import type { BindingDeclaration } from '../queue/registry.ts'

/** Something that the configuration defines, and where it does. */
export interface Configured<T> {
  readonly definition: T
  readonly path: readonly PropertyKey[]
  /** From the name of an argument, as it is stored, to the key that gives it. */
  readonly keys: ReadonlyMap<string, string>
}

export interface Definitions {
  readonly exchanges: readonly Configured<ExchangeDefinition>[]
  readonly queues: readonly Configured<QueueDefinition>[]
  readonly bindings: readonly Configured<Required<Omit<BindingDeclaration, 'owner'>>>[]
}

const NAME_BYTES_MAX = 255
// AMQP's name of an error, which says nothing to somebody who writes a configuration.
const REPLY_CODE = /^[A-Z_]+ - /
const NO_KEYS: ReadonlyMap<string, string> = new Map()
export const ALTERNATE_EXCHANGE = 'alternate-exchange'

/**
 * The exchanges, queues and bindings of a configuration, as far as they can be checked by themselves. Throws
 * UsageError that names the place.
 */
export function readDefinitions(config: Config): Definitions {
  const exchanges = Object.entries(config.exchanges).map(([name, each]) =>
    exchangeOf(config, name, each as ExchangeConfig),
  )
  const queues = Object.entries(config.queues).map(([name, each]) => queueOf(config, name, each as QueueConfig))
  const bindings = [
    ...Object.entries(config.exchanges).map(([name, each]) => ['exchange', name, each] as const),
    ...Object.entries(config.queues).map(([name, each]) => ['queue', name, each] as const),
  ].flatMap(([kind, name, each]) =>
    (each.bindings ?? []).map((binding, index) =>
      bindingOf(config, kind, name, binding as BindingConfig, [`${kind}s`, name, 'bindings', index]),
    ),
  )
  return { exchanges, queues, bindings }
}

function exchangeOf(config: Config, name: string, written: ExchangeConfig): Configured<ExchangeDefinition> {
  checkName(config, 'exchanges', name)
  const path = ['exchanges', name]
  const { type = 'direct', durable = true, autoDelete = false, internal = false, alternateExchange } = written
  const table = new Map(tableAt(config, [...path, 'arguments'], written.arguments))
  const keys = new Map<string, string>()
  if (alternateExchange !== undefined) {
    if (table.has(ALTERNATE_EXCHANGE)) throw wrong(config, path, 'alternateExchange', givenTwice(ALTERNATE_EXCHANGE))
    table.set(ALTERNATE_EXCHANGE, alternateExchange)
    keys.set(ALTERNATE_EXCHANGE, 'alternateExchange')
  } else if (!['string', 'undefined'].includes(typeof table.get(ALTERNATE_EXCHANGE))) {
    throw wrong(config, [...path, 'arguments', ALTERNATE_EXCHANGE], undefined, 'expected the name of an exchange')
  }
  return { definition: { name, type, durable, autoDelete, internal, arguments: table }, path, keys }
}

function queueOf(config: Config, name: string, written: QueueConfig): Configured<QueueDefinition> {
  checkName(config, 'queues', name)
  const path = ['queues', name]
  const { durable = true, autoDelete = false, bindings: _bindings, ...rest } = written
  const table = new Map<string, FieldValue>()
  const keys = new Map<string, string>()
  for (const [key, value] of Object.entries(rest)) {
    if (value === undefined) continue
    const argument = QUEUE_ARGUMENT_NAMES.get(key) ?? key
    if (!KNOWN_ARGUMENTS.includes(argument)) throw wrong(config, path, key, unknownKeyText(key, KNOWN_ARGUMENTS))
    const before = keys.get(argument)
    if (before !== undefined) throw wrong(config, path, key, givenTwice(before))
    table.set(argument, valueAt(config, [...path, key], value))
    keys.set(argument, key)
  }
  const definition = { name, durable, exclusive: false, autoDelete, arguments: table }
  const problem = settingsProblem(definition)
  if (problem === undefined) return { definition, path, keys }
  const key = keys.get(wrongArgument(definition))
  throw wrong(config, key === undefined ? path : [...path, key], undefined, problem)
}

function bindingOf(
  config: Config,
  targetKind: 'queue' | 'exchange',
  target: string,
  written: BindingConfig,
  path: readonly PropertyKey[],
): Definitions['bindings'][number] {
  if (typeof written === 'string') {
    const problem = bindingFilterProblem(written)
    if (problem !== undefined) throw wrong(config, path, undefined, problem)
    const key = keyOfFilter(written)
    return { definition: { source: 'amq.topic', target, targetKind, key, arguments: new Map() }, path, keys: NO_KEYS }
  }
  const { exchange, key = '' } = written
  if (Buffer.byteLength(key) > NAME_BYTES_MAX) {
    throw wrong(config, [...path, 'key'], undefined, `must have at most ${NAME_BYTES_MAX} bytes`)
  }
  const args = tableAt(config, [...path, 'arguments'], written.arguments)
  return { definition: { source: exchange, target, targetKind, key, arguments: args }, path, keys: NO_KEYS }
}

/** Why nothing can be bound to `amq.topic` by this topic filter; undefined: it can. */
export function bindingFilterProblem(filter: string): string | undefined {
  const problem = topicFilterProblem(filter)
  if (problem !== undefined) return `the topic filter ${problem}, got '${filter}'`
  if (filter.startsWith('$share/'))
    return `a queue shares its messages by itself: bind it without $share, got '${filter}'`
  if (Buffer.byteLength(keyOfFilter(filter)) <= NAME_BYTES_MAX) return undefined
  return `the topic filter is longer than the ${NAME_BYTES_MAX} bytes that a binding may have`
}

function checkName(config: Config, map: string, name: string): void {
  const bytes = Buffer.byteLength(name)
  if (bytes === 0 || bytes > NAME_BYTES_MAX) throw wrong(config, [map], name, `a name has 1 to ${NAME_BYTES_MAX} bytes`)
  if (name.startsWith('amq.')) throw wrong(config, [map], name, `names that begin with 'amq.' are reserved`)
}

/** Which argument makes the others wrong, or is wrong by itself. */
function wrongArgument(definition: QueueDefinition): string {
  const names = [...definition.arguments.keys()]
  const without = (name: string): FieldTable => new Map([...definition.arguments].filter(([each]) => each !== name))
  const alone = (name: string): FieldTable => new Map([...definition.arguments].filter(([each]) => each === name))
  const found =
    names.find((name) => settingsProblem({ ...definition, arguments: without(name) }) === undefined) ??
    names.find((name) => settingsProblem({ ...definition, arguments: alone(name) }) !== undefined)
  return found ?? ''
}

function settingsProblem(definition: QueueDefinition): string | undefined {
  const { arguments: table } = definition
  if (table.has('x-dead-letter-routing-key') && !table.has('x-dead-letter-exchange'))
    return 'needs a dead-letter exchange'
  try {
    readSettings(definition, definition.arguments)
    return undefined
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).replace(REPLY_CODE, '')
  }
}

function tableAt(config: Config, path: readonly PropertyKey[], value: unknown): FieldTable {
  try {
    return tableOf(value as PlainTable | undefined)
  } catch (error) {
    throw wrong(config, path, undefined, error instanceof Error ? error.message : String(error))
  }
}

function valueAt(config: Config, path: readonly PropertyKey[], value: unknown): FieldValue {
  try {
    return fieldValueOf(String(path.at(-1)), value as PlainValue)
  } catch (error) {
    throw wrong(config, path, undefined, error instanceof Error ? error.message : String(error))
  }
}

function givenTwice(other: string): string {
  return `says the same as ${other}; keep one of the two`
}

function wrong(config: Config, path: readonly PropertyKey[], key: string | undefined, text: string): UsageError {
  return new UsageError('CONFIG_INVALID', `${placeOf(config, path, key)}: ${text}`)
}
