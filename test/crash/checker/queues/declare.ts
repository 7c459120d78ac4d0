import { filterOfKey } from '../../../../src/message/key-topic.ts'
import type { Queues } from '../../../../src/queue/queues.ts'
import { argumentsOf } from '../../../support/queue-arguments.ts'
import { bindingPlans, DEAD_EXCHANGE, queueArguments } from './topology.ts'

/** Declares everything; resolves when it is on disk. */
export function declareAll(queues: Queues): Promise<void> {
  queues.declareExchange(DEAD_EXCHANGE, { type: 'direct' })
  for (const [name, args] of queueArguments) queues.declareQueue(name, { arguments: argumentsOf(args) })
  for (const { source, queue, key } of bindingPlans) {
    queues.bind({ source, target: queue, key })
  }
  return queues.committed()
}

/** The same as settings of `sluice start --config`. */
export function queueConfig(): unknown {
  const bindings = (queue: string): unknown[] =>
    bindingPlans
      .filter((each) => each.queue === queue)
      .map(({ source, key }) => (source === 'amq.topic' ? filterOfKey(key) : { exchange: source, key }))
  const queues = [...queueArguments].map(([name, args]) => [name, { ...args, bindings: bindings(name) }])
  return { exchanges: { [DEAD_EXCHANGE]: { type: 'direct' } }, queues: Object.fromEntries(queues) }
}
