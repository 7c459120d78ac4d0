import { SluiceError } from '../base/errors.ts'
import type { Queue } from '../queue/queue.ts'
import { QueueError } from '../queue/queue-error.ts'
import type { Queues } from '../queue/queues.ts'
import type { ControlCommand } from './control-server.ts'

/** What came with a command over the control socket. */
export type Given = Readonly<Record<string, unknown>>

/** What the user asked for cannot be meant: the command line answers with exit code 2. */
export const USAGE_CODE = 'CONTROL_USAGE'

// AMQP's name of an error, which a person can do without.
const REPLY_CODE = /^[A-Z_]+ - /

export function usage(text: string): SluiceError {
  return new SluiceError(USAGE_CODE, text)
}

export function textOf(given: Given, name: string): string {
  const value = given[name]
  if (typeof value === 'string') return value
  throw malformed(name, 'a text')
}

export function optionalText(given: Given, name: string): string | undefined {
  return given[name] === undefined ? undefined : textOf(given, name)
}

export function textsOf(given: Given, name: string): readonly string[] {
  const value = given[name] ?? []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as string[]
  throw malformed(name, 'a list of texts')
}

/** Names and values, both texts. */
export function pairsOf(given: Given, name: string): readonly (readonly [name: string, value: string])[] {
  const value = given[name] ?? []
  const isPair = (item: unknown): boolean =>
    Array.isArray(item) && item.length === 2 && item.every((part) => typeof part === 'string')
  if (Array.isArray(value) && value.every(isPair)) return value as [string, string][]
  throw malformed(name, 'a list of names and values')
}

export function flagOf(given: Given, name: string): boolean {
  const value = given[name] ?? false
  if (typeof value === 'boolean') return value
  throw malformed(name, 'true or false')
}

/** A whole number from 1 on; undefined: not given. */
export function countOf(given: Given, name: string): number | undefined {
  const value = given[name]
  if (value === undefined) return undefined
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
  throw malformed(name, 'a whole number')
}

export function queueOf(queues: Queues, given: Given, name = 'queue'): Queue {
  const queueName = textOf(given, name)
  const queue = queues.queues.get(queueName)
  if (queue === undefined) {
    throw new SluiceError(
      'QUEUE_NOT_FOUND',
      `there is no queue '${queueName}'; sluice queue list shows those there are`,
    )
  }
  return queue
}

/** A command whose refusals by a queue are told in words for a person. */
export function inWords(command: ControlCommand): ControlCommand {
  return async (given, progress, gone) => {
    try {
      return await command(given, progress, gone)
    } catch (error) {
      if (!(error instanceof QueueError)) throw error
      throw new SluiceError(error.code, error.message.replace(REPLY_CODE, '').replaceAll(" in vhost '/'", ''), {
        cause: error,
      })
    }
  }
}

/** The event loop turns once, so that others are served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function malformed(name: string, wanted: string): SluiceError {
  return new SluiceError('CONTROL_MALFORMED', `${name} must be ${wanted}`)
}
