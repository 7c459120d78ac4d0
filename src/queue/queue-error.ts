import { SluiceError } from '../base/errors.ts'

/** Reply codes of AMQP 0-9-1 (section 1.2 of the specification's tables) that a queue or an exchange answers with. */
const NAMES = new Map([
  [403, 'ACCESS_REFUSED'],
  [404, 'NOT_FOUND'],
  [405, 'RESOURCE_LOCKED'],
  [406, 'PRECONDITION_FAILED'],
  [506, 'RESOURCE_ERROR'],
  [530, 'NOT_ALLOWED'],
  [540, 'NOT_IMPLEMENTED'],
] as const)

export type ReplyCode = 403 | 404 | 405 | 406 | 506 | 530 | 540

/** What was asked of a queue or an exchange cannot be. The message is AMQP's reply text, as RabbitMQ words it. */
export class QueueError extends SluiceError {
  readonly replyCode: ReplyCode

  constructor(replyCode: ReplyCode, explanation: string) {
    const name = NAMES.get(replyCode) ?? 'INTERNAL_ERROR'
    super(`QUEUE_${name}`, `${name} - ${explanation}`)
    this.name = 'QueueError'
    this.replyCode = replyCode
  }
}

export function noQueue(name: string): QueueError {
  return new QueueError(404, `no queue '${name}' in vhost '/'`)
}

export function noExchange(name: string): QueueError {
  return new QueueError(404, `no exchange '${name}' in vhost '/'`)
}
