import { SluiceError, UsageError } from '../base/errors.ts'
import { placeOf } from '../config/place.ts'
import type { Config } from '../config/schema.ts'
import { type FieldTable, type FieldValue, sameValue } from '../message/field-table.ts'
import type { Queues } from '../queue/queues.ts'
import { QueueError } from '../queue/queue-error.ts'
import { KNOWN_ARGUMENTS } from '../queue/queue-settings.ts'
import { ALTERNATE_EXCHANGE, type Configured, type Definitions } from './queue-definitions.ts'

interface Declared {
  readonly name: string
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly arguments: FieldTable
}

/**
 * Declares what the configuration defines and is not there yet: exchanges, then queues, then bindings. What is there
 * with other properties ends the start (SluiceError), and so does a name that stands for nothing (UsageError); nothing
 * has been changed then. Bindings that the configuration does not name stay.
 */
export function declareConfigured(queues: Queues, config: Config, definitions: Definitions): void {
  for (const each of definitions.exchanges) {
    const known = queues.exchanges.get(each.definition.name)?.definition
    if (known === undefined) continue
    const properties = ['type', 'durable', 'autoDelete', 'internal'] as const
    checkSame(config, 'exchange', known, each, properties, [ALTERNATE_EXCHANGE])
  }
  for (const each of definitions.queues) {
    const known = queues.queues.get(each.definition.name)?.definition
    if (known !== undefined) checkSame(config, 'queue', known, each, ['durable', 'autoDelete'], KNOWN_ARGUMENTS)
  }
  checkReferences(queues, config, definitions)
  for (const { definition, path } of definitions.exchanges) {
    const { name, ...rest } = definition
    declaring(config, path, () => queues.declareExchange(name, rest))
  }
  for (const { definition, path } of definitions.queues) {
    const { name, ...rest } = definition
    declaring(config, path, () => queues.declareQueue(name, rest))
  }
  for (const { definition, path } of definitions.bindings) declaring(config, path, () => queues.bind(definition))
}

function checkSame<T extends Declared>(
  config: Config,
  kind: 'queue' | 'exchange',
  stored: T,
  { definition, path, keys }: Configured<T>,
  properties: readonly (keyof T & string)[],
  argumentNames: readonly string[],
): void {
  const different = (key: string, isWritten: boolean, now: unknown, before: unknown): SluiceError => {
    const place = isWritten ? placeOf(config, [...path, key]) : `${placeOf(config, path)}: ${key}`
    const back = before === undefined ? 'leave it out' : `say ${shown(before)}`
    const other = kind === 'queue' ? `start with that and run: sluice queue delete ${stored.name}` : 'take another name'
    return new SluiceError(
      'QUEUE_DIFFERS',
      `${place}: the stored ${kind} has ${shown(before)}, the configuration ${shown(now)}; ` +
        `what exists is not changed: ${back}, or ${other}`,
    )
  }
  for (const property of properties) {
    if (definition[property] === stored[property]) continue
    throw different(property, isWrittenAt(config, [...path, property]), definition[property], stored[property])
  }
  for (const name of argumentNames) {
    const [now, before] = [definition.arguments.get(name), stored.arguments.get(name)]
    if (!sameValue(now, before)) throw different(keys.get(name) ?? name, keys.has(name), now, before)
  }
}

/** Exchanges that others name have to be there: a misspelt one would lose messages without a word. */
function checkReferences(queues: Queues, config: Config, definitions: Definitions): void {
  const names = new Set(queues.exchanges.keys())
  for (const { definition } of definitions.exchanges) names.add(definition.name)
  const check = (name: FieldValue | undefined, path: readonly PropertyKey[]): void => {
    if (typeof name !== 'string' || names.has(name)) return
    throw new UsageError(
      'CONFIG_INVALID',
      `${placeOf(config, path)}: there is no exchange '${name}'; define it under exchanges`,
    )
  }
  for (const { definition, path, keys } of definitions.exchanges) {
    const key = keys.get(ALTERNATE_EXCHANGE)
    const at = key === undefined ? ['arguments', ALTERNATE_EXCHANGE] : [key]
    check(definition.arguments.get(ALTERNATE_EXCHANGE), [...path, ...at])
  }
  for (const { definition, path, keys } of definitions.queues) {
    const argument = 'x-dead-letter-exchange'
    check(definition.arguments.get(argument), [...path, keys.get(argument) ?? argument])
  }
  for (const { definition, path } of definitions.bindings) check(definition.source, [...path, 'exchange'])
}

function declaring(config: Config, path: readonly PropertyKey[], declare: () => unknown): void {
  try {
    declare()
  } catch (error) {
    if (!(error instanceof QueueError)) throw error
    throw new UsageError('CONFIG_INVALID', `${placeOf(config, path)}: ${error.message}`, error)
  }
}

/** True where the user wrote a value, and not only the definition it would stand in. */
function isWrittenAt(config: Config, path: readonly PropertyKey[]): boolean {
  let value: unknown = config
  for (const part of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[part]
  return value !== undefined
}

function shown(value: unknown): string {
  if (value === undefined) return 'none'
  if (typeof value === 'string') return `'${value}'`
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value)
}
