import { SluiceError } from '../base/errors.ts'
import { keyOfFilter } from '../message/key-topic.ts'
import type { BindingDeclaration } from '../queue/registry.ts'
import type { Queues } from '../queue/queues.ts'
import type { ControlCommand } from './control-server.ts'
import { declareQueue } from './queue-declare-command.ts'
import { bindingFilterProblem } from './queue-definitions.ts'
import { jsonOfBinding, jsonOfQueue, jsonOfTable } from './queue-json.ts'
import { moveMessages } from './queue-move.ts'
import { peekMessages } from './queue-peek.ts'
import {
  flagOf,
  type Given,
  inWords,
  nextTurn,
  optionalText,
  pairsOf,
  queueOf,
  textOf,
  textsOf,
  usage,
} from './queue-request.ts'

const PAGE = 500
// As JSON: an answer is one line of the control socket.
const BINDINGS_BYTES_MAX = 4 * 1024 * 1024

/** The commands of `sluice queue`, by their names on the control socket. */
export function queueCommands(queues: Queues): Map<string, ControlCommand> {
  const looking = new Map<string, ControlCommand>([
    ['queue.list', listQueues(queues)],
    ['queue.show', async (given) => showQueue(queues, given)],
    ['queue.peek', peekMessages(queues)],
  ])
  const changing = new Map<string, ControlCommand>([
    ['queue.publish', (given) => publish(queues, given)],
    ['queue.purge', (given) => purge(queues, given)],
    ['queue.bind', (given) => bind(queues, given)],
    ['queue.unbind', (given) => unbind(queues, given)],
    ['queue.declare', declareQueue(queues)],
    ['queue.delete', (given) => deleteQueue(queues, given)],
    ['queue.move', moveMessages(queues)],
  ])
  const all = [...looking, ...[...changing].map(([name, command]) => [name, whileStoring(queues, command)] as const)]
  return new Map(all.map(([name, command]) => [name, inWords(command)]))
}

/** What cannot be stored is not begun: the command would wait, and its change be lost with the broker. */
function whileStoring(queues: Queues, command: ControlCommand): ControlCommand {
  return (given, progress, gone) => {
    const { failure } = queues.store.commit
    if (failure === undefined) return command(given, progress, gone)
    const text = `the store cannot write at present, so that nothing was changed: ${failure.message}`
    return Promise.reject(new SluiceError('STORE_FAILING', text))
  }
}

/** Tells all queues by name, in pages that are told as progress: there may be very many. */
function listQueues(queues: Queues): ControlCommand {
  return async (_given, progress, gone) => {
    const names = [...queues.queues.keys()].toSorted()
    for (let from = 0; from < names.length && !gone.aborted; from += PAGE) {
      const there = names.slice(from, from + PAGE).flatMap((name) => queues.queues.get(name) ?? [])
      progress(there.map((queue) => jsonOfQueue(queue, queue.stats())))
      await nextTurn()
    }
    return { queues: names.length }
  }
}

function showQueue(queues: Queues, given: Given): object {
  const queue = queueOf(queues, given)
  const bindings: object[] = []
  let left = BINDINGS_BYTES_MAX
  for (const binding of queue.incoming) {
    const told = jsonOfBinding(binding, queues.conversion)
    left -= JSON.stringify(told).length
    if (left < 0) break
    bindings.push(told)
  }
  return {
    ...jsonOfQueue(queue, queue.stats()),
    arguments: jsonOfTable(queue.definition.arguments),
    bindingCount: queue.incoming.size,
    bindings,
  }
}

/** One message straight into the queue; answers when it is as durable as the broker promises. */
async function publish(queues: Queues, given: Given): Promise<object> {
  const { name } = queueOf(queues, given)
  const { message } = queues.enqueue(name, { payload: Buffer.from(textOf(given, 'payload')) })
  if (message.refusal !== 0) throw new SluiceError('QUEUE_REFUSED', `queue '${name}' is full or cannot be written to`)
  await queues.committed()
  return {}
}

async function purge(queues: Queues, given: Given): Promise<object> {
  const purged = queueOf(queues, given).purge()
  await queues.committed()
  return { purged }
}

async function deleteQueue(queues: Queues, given: Given): Promise<object> {
  const { name, owner } = queueOf(queues, given)
  const deleted = queues.deleteQueue(name, {
    ifEmpty: flagOf(given, 'ifEmpty'),
    ifUnused: flagOf(given, 'ifUnused'),
    owner,
  })
  await queues.committed()
  return { deleted }
}

async function bind(queues: Queues, given: Given): Promise<object> {
  const { name, incoming } = queueOf(queues, given)
  const before = incoming.size
  for (const each of bindingsOf(given, name)) queues.bind({ ...each, owner: queues.queue(name).owner })
  await queues.committed()
  return { added: incoming.size - before }
}

async function unbind(queues: Queues, given: Given): Promise<object> {
  const queue = queueOf(queues, given)
  const bindings = bindingsOf(given, queue.name)
  for (const { source, key = '', arguments: table = new Map() } of bindings) {
    if (queues.exchange(source).find(queue, key, table) !== undefined) continue
    const from = source === 'amq.topic' ? '' : ` to exchange '${source}'`
    throw new SluiceError(
      'QUEUE_NO_BINDING',
      `queue '${queue.name}' has no such binding${from}; sluice queue show ${queue.name} tells those it has`,
    )
  }
  for (const each of bindings) queues.unbind({ ...each, owner: queue.owner })
  await queues.committed()
  return { removed: bindings.length }
}

/** Topic filters of MQTT, or one binding to an exchange. */
function bindingsOf(given: Given, target: string): BindingDeclaration[] {
  const filters = textsOf(given, 'filters')
  const exchange = optionalText(given, 'exchange')
  if ((exchange === undefined) === (filters.length === 0)) throw usage('give either topic filters or --exchange')
  if (exchange !== undefined) {
    const table = new Map(pairsOf(given, 'arguments'))
    return [{ source: exchange, target, key: optionalText(given, 'key') ?? '', arguments: table }]
  }
  return filters.map((filter) => {
    const problem = bindingFilterProblem(filter)
    if (problem !== undefined) throw usage(problem)
    return { source: 'amq.topic', target, key: keyOfFilter(filter) }
  })
}
