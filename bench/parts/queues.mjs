import { asMarkdown } from '../table.mjs'
import { conditionsTable, pinning } from './conditions.mjs'

/** The rows of bench/scenarios.mjs that have queues, beside RabbitMQ. @type {import('./catalogue.mjs').Part} */
export const queues = {
  name: 'queues',
  section: (result) => `## Queues

${conditionsTable(result)}

${pinning(result)} MQTT publishers at QoS 1 (3.1.1, each up to 100
messages without acknowledgement) send to topics that are bound to durable queues; each queue has one consumer with a
prefetch of 100, which acknowledges each message. Payload 64 bytes, or 1 KiB where the row says so. Rounds of each row:
${result.effort.rounds}, the brokers in turn, each time a fresh process with an empty store, with ${result.effort.seconds} s at full load after a warm-up
of ${result.effort.warmupSeconds} s.

${result.tables.map(asMarkdown).join('\n\n')}

### How to read the rows of queues

- Columns and checks are those of [Messages](#messages). **ratio** is Sluice's figure divided by RabbitMQ's. A message
  that was lost, came twice or out of the order of its publisher fails the run.
- **Sluice** runs with \`--durability fsync\`; its consumer is an MQTT 5 client with a Receive Maximum of 100 that subscribes
  to \`$queue/<name>\` at QoS 1 and gets original topic and delivery count with each message.
- **RabbitMQ** runs with its MQTT plugin and otherwise as it is installed: durable classic queues (version 1) bound to
  \`amq.topic\`, one Erlang scheduler (\`+S 1:1\`) on the broker's core. MQTT has no way to consume its queues by name, so the
  consumer speaks AMQP 0-9-1: \`basic.qos\` 100 and \`basic.ack\` for each message by itself, as PUBACK does.
- **What PUBACK promises** is the same in both: the message is on disk and synced (\`fsync\`), or a consumer has acknowledged it
  before that. RabbitMQ's plugin waits for the publisher confirm, which comes after the sync of a batch; \`strace\` shows its
  \`fsync\` calls under this load. Its classic queues of version 2 are faster, but they confirm without a sync, so they are not
  measured here.
- At full load a publisher waits while 200 of its messages have not been consumed: up to 2,400 are in the queues, and what
  goes in comes out at the same time. In the last table there is no consumer while the queue fills.`,
}
