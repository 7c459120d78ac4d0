import type { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { rememberPlace } from './place.ts'
import { describeProblem } from './problem.ts'
import { prepareMaps } from './queues.ts'
import { type Config, configSchema, type PartialConfig } from './schema.ts'

/** What a program may say when it makes a broker of its own; everything else keeps its default. */
export interface LibraryOptions {
  /** Keeps everything in memory and writes nothing; short for `durability: 'memory'`. */
  readonly memory?: boolean
  readonly data?: PartialConfig['data']
  readonly durability?: PartialConfig['durability']
  /** Listens for MQTT over TCP. Left out: does not. */
  readonly mqtt?: PartialConfig['mqtt']
  /** Listens for HTTP, with MQTT over WebSocket at /mqtt. Left out: does not. */
  readonly http?: PartialConfig['http']
  readonly responseTopicPrefix?: PartialConfig['responseTopicPrefix']
  readonly sys?: PartialConfig['sys']
  readonly topics?: PartialConfig['topics']
  readonly limits?: PartialConfig['limits']
  /** Exchanges that are declared at the start, by their names. */
  readonly exchanges?: PartialConfig['exchanges']
  /** Queues that are declared at the start, by their names. */
  readonly queues?: PartialConfig['queues']
}

/** The complete configuration of a broker in a program. Throws UsageError that names the option. */
export function configFromOptions(options: LibraryOptions = {}): Config {
  const { memory, ...rest } = options
  if (memory !== undefined && typeof memory !== 'boolean') {
    throw new UsageError('OPTION_INVALID', `option memory: expected true or false, got '${String(memory)}'`)
  }
  if (memory === true && (rest.data !== undefined || (rest.durability ?? 'memory') !== 'memory')) {
    throw new UsageError('OPTION_CONFLICT', 'options memory: true and data or durability exclude each other')
  }
  const value = {
    ...rest,
    ...(memory === true ? { durability: 'memory' } : {}),
    mqtt: rest.mqtt ?? { enabled: false },
    http: rest.http ?? { enabled: false },
  }
  const wrongName = prepareMaps(value)
  const checked = configSchema.safeParse(value)
  if (checked.success && wrongName === undefined) return rememberPlace(checked.data, place)
  const problem = wrongName ?? describeProblem(checked.error as z.ZodError, value)
  throw new UsageError('OPTION_INVALID', `${place(problem.path)}: ${problem.text}`)
}

function place(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'options' : `option ${path.join('.')}`
}
