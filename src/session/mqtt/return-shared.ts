import { matches } from '../../message/filter.ts'
import type { SharedGroup } from '../../router/shared-group.ts'
import type { Fifo } from '../../store/fifo.ts'
import type { FifoEntry } from '../../store/fifo-entry.ts'
import { groupIdOf, QOS_MASK } from './entry-mark.ts'
import type { Session } from './session.ts'

/**
 * After a crash, before anybody connects: what had come through shared groups goes back to them, as it would have when
 * the connection ended. It lies among the first `inflightMax` entries, since a member gets nothing from a group while
 * others wait. What was to be delivered at QoS 2 stays (MQTT-4.8.2-4).
 */
export async function returnShared(
  queue: Fifo,
  session: Session,
  inflightMax: number,
  groupOf: (id: number) => SharedGroup | undefined,
): Promise<void> {
  const found: [entry: FifoEntry, group: SharedGroup][] = []
  for (const entry of await queue.front(inflightMax)) {
    const group = groupOf(groupIdOf(entry))
    if (group === undefined || (entry.mark & QOS_MASK) !== 1) continue
    // The group that it came through may have ended since, and another have its number.
    if (matches(group.filter, entry.message.topic)) found.push([entry, group])
  }
  // In one turn, and so in one commit: at any time each message is in one of the two queues.
  for (const [entry] of found) queue.ack(entry)
  for (const group of new Set(found.map(([, of]) => of))) {
    const messages = found.filter(([, from]) => from === group).map(([entry]) => entry.message)
    group.reoffer(messages, session)
  }
}
