import { Message } from '../message/message.ts'
import type { Queue } from '../queue/queue.ts'
import type { Queues } from '../queue/queues.ts'
import type { ControlCommand } from './control-server.ts'
import { countOf, nextTurn, queueOf, usage } from './queue-request.ts'

/** Why a move ends before it has moved all that was asked for. */
type Halt = 'empty' | 'full' | 'refused' | 'gone'

const SLICE_MESSAGES = 500
const SLICE_BYTES = 1024 * 1024

/**
 * `queue.move { from, to, count }`: takes messages from the front of one queue and puts them at the end of another, in
 * slices that are durable before the next one begins. A message leaves and enters in one turn, in this order: it is
 * pushed, then acknowledged, so that a crash can leave it in both at worst. Stops where the target would refuse it or
 * would drop another for it.
 */
export function moveMessages(queues: Queues): ControlCommand {
  return async (given, progress, gone) => {
    const [from, to] = [queueOf(queues, given, 'from'), queueOf(queues, given, 'to')]
    if (from === to) throw usage('a queue cannot be moved into itself')
    // What comes in meanwhile stays: a queue that is fed would otherwise never be done.
    const wanted = Math.min(countOf(given, 'count') ?? from.readyCount, from.readyCount)
    let moved = 0
    let halt: Halt | undefined
    while (moved < wanted && halt === undefined && !gone.aborted) {
      const slice = moveSlice(from, to, Math.min(SLICE_MESSAGES, wanted - moved))
      moved += slice.moved
      halt = slice.halt
      await queues.committed()
      progress({ moved, wanted })
      await nextTurn()
    }
    return { moved, left: from.readyCount, halt: halt === undefined || halt === 'empty' ? null : halt }
  }
}

function moveSlice(from: Queue, to: Queue, max: number): { moved: number; halt: Halt | undefined } {
  let moved = 0
  let bytes = 0
  while (moved < max && bytes < SLICE_BYTES) {
    if (from.deleted || to.deleted) return { moved, halt: 'gone' }
    if (to.isFull) return { moved, halt: 'full' }
    const delivery = from.get()
    if (delivery === undefined) return { moved, halt: from.loading ? undefined : 'empty' }
    const copy = copyOf(delivery.message)
    to.offer(copy)
    if (copy.refusal !== 0) {
      delivery.returnUnsent()
      return { moved, halt: 'refused' }
    }
    bytes += copy.payload.length
    delivery.ack()
    moved++
  }
  return { moved, halt: undefined }
}

/** What a message knows of where it is stored stays behind. */
function copyOf(message: Message): Message {
  const { topic, payload, qos, properties, expiresAtMs, publisher, amqp } = message
  const copy = new Message(topic, payload, qos, false, properties, expiresAtMs, publisher)
  copy.amqp = amqp
  return copy
}
