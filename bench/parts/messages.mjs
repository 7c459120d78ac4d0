import { asMarkdown } from '../table.mjs'
import { conditionsTable, pinning } from './conditions.mjs'

/** The rows of bench/scenarios.mjs, beside mosquitto. @type {import('./catalogue.mjs').Part} */
export const messages = {
  name: 'messages',
  section: (result) => `## Messages

${conditionsTable(result)}

${pinning(result)} Payload 64 bytes, MQTT 3.1.1, plain TCP over the loopback interface. Rounds of
each row: ${result.effort.rounds}, the brokers in turn, each time a fresh process, with ${result.effort.seconds} s at full load after a
warm-up of ${result.effort.warmupSeconds} s.

${result.tables.map(asMarkdown).join('\n\n')}

### How to read this

- **msgs/s** counts what subscribers received. In the fan-out row one message sent is 50 received.
- **ratio** is Sluice's figure divided by mosquitto's in the same round; the median over the rounds. For messages a
  second more is better; for memory and time less is better. All other figures are medians over the rounds too.
- **p50, p99** are the time from a publisher's \`write\` to a subscriber's \`read\`, in one process, so on one clock. At full
  load it is mostly the time spent waiting in the window of messages under way, and says how fast that window moves;
  the table at a fixed rate is what a client of a broker that is not overloaded sees. **ack** is the time until the
  publisher's handshake is complete: PUBACK, or PUBCOMP at QoS 2.
- **CPU s per M** is the CPU time of the broker's process, all threads, for a million messages received. **RSS** is its
  resident memory at the end of the load, for the stored rows when all is stored.
- **generator** is how busy the load generator was. \`npm run bench -- --brokers sluice,mirror\` shows its ceiling, with a
  program that copies bytes blindly in the broker's place. Where a broker comes near that, the row measures the generator
  and the kernel as much as the broker.
- Every payload carries its publisher and a serial number. A message that is missing, repeated or out of order, or an
  acknowledgement out of order, is named in the row and fails the run.
- In most rows a publisher has one topic and sends without a pause. Sluice forwards QoS 0 messages of one topic that
  arrive together as one run of bytes, after checking each frame, so the single-topic QoS 0 rows are its best case. In the
  rows with 10 topics in turn no such run forms: they are the better guide to mixed traffic.
- At QoS 0 a publisher waits while a fixed number of its messages has not arrived, so that no queue overflows and nothing
  is dropped. At QoS 1 and 2 it has up to 100 messages without acknowledgement.
- Rows with persistent sessions: Sluice runs with \`--durability fsync\` and acknowledges when the message is on disk or
  delivered and acknowledged by its subscribers; mosquitto runs with \`persistence false\` and stores nothing. The other
  rows run Sluice with \`--memory\`.
- mosquitto has \`max_queued_messages 0\`, \`max_inflight_messages 0\` and \`set_tcp_nodelay true\`: it is fastest so.
- The router alone: topics and filters of five levels, one in ten filters with a wildcard, without a broker around it.`,
}
