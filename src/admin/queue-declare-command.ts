import { SluiceError } from '../base/errors.ts'
import { rememberPlace } from '../config/place.ts'
import { describeProblem } from '../config/problem.ts'
import { type Config, configSchema } from '../config/schema.ts'
import { QUEUE_ARGUMENT_NAMES } from '../message/queue-arguments.ts'
import type { Queues } from '../queue/queues.ts'
import type { ControlCommand } from './control-server.ts'
import { type Definitions, readDefinitions } from './queue-definitions.ts'
import { flagOf, pairsOf, textOf, textsOf, usage } from './queue-request.ts'

// Arguments whose value is a text, whatever it looks like.
const TEXTS: ReadonlySet<string> = new Set([
  'x-queue-type',
  'x-overflow',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-last-value-key',
  'x-queue-mode',
])
const LISTS: ReadonlySet<string> = new Set(['x-retry-delays'])

/** `queue.declare { queue, transient, autoDelete, arguments, filters }`: values are texts, as the user typed them. */
export function declareQueue(queues: Queues): ControlCommand {
  return async (given) => {
    const name = textOf(given, 'queue')
    const written = new Map<string, unknown>()
    for (const [key, text] of pairsOf(given, 'arguments')) {
      if (written.has(key)) throw usage(`argument ${key} is given twice`)
      written.set(key, valueOf(key, text))
    }
    written.set('durable', !flagOf(given, 'transient'))
    written.set('autoDelete', flagOf(given, 'autoDelete'))
    written.set('bindings', textsOf(given, 'filters'))
    const {
      queues: [queue],
      bindings,
    } = definitionsOf(name, Object.fromEntries(written))
    if (queue === undefined) throw usage(`'${name}' cannot be the name of a queue`)
    const wasThere = queues.queues.has(name)
    const { owner } = queues.declareQueue(name, queue.definition)
    for (const { definition } of bindings) queues.bind({ ...definition, owner })
    await queues.committed()
    return { created: !wasThere }
  }
}

/** Checked as in a config file, with messages that speak of the command. */
function definitionsOf(name: string, written: object): Definitions {
  const place = (path: readonly PropertyKey[], key?: string): string => {
    const [, , part = key, index] = path
    if (part === undefined || part === name) return 'the name'
    return part === 'bindings' ? `binding ${Number(index ?? 0) + 1}` : `argument ${String(part)}`
  }
  const value = { queues: { [name]: written } }
  const checked = configSchema.safeParse(value)
  if (!checked.success) {
    const { path, unknownKey, text } = describeProblem(checked.error, value)
    throw usage(`${place(path, unknownKey)}: ${text}`)
  }
  try {
    return readDefinitions(rememberPlace(checked.data as Config, place))
  } catch (error) {
    throw error instanceof SluiceError ? usage(error.message) : error
  }
}

function valueOf(key: string, text: string): unknown {
  const argument = QUEUE_ARGUMENT_NAMES.get(key) ?? key
  if (TEXTS.has(argument)) return text
  if (LISTS.has(argument)) return text.split(',').map(plainOf)
  return plainOf(text)
}

function plainOf(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d{1,16}$/.test(text.trim()) ? Number(text) : text
}
