import { encodeProperties } from '../../../../src/message/basic-properties.ts'
import type { Queues } from '../../../../src/queue/queues.ts'
import type { Random } from '../random.ts'
import { pause, type Stage } from '../stage.ts'
import type { QueueSent } from './ledger.ts'

const NAME = 'engine'
const TOPICS = 3
const PRIORITIES = 4
const PAUSE_MS = 15

/** Publishes from within the process of the broker, with priorities; what a crash has swallowed is not sent again. */
export class EnginePublisher {
  private readonly stage: Stage
  private readonly queues: () => Queues
  private readonly sent: Map<string, QueueSent>
  private readonly random: Random
  private serial = 0

  constructor(stage: Stage, queues: () => Queues, sent: Map<string, QueueSent>) {
    this.stage = stage
    this.queues = queues
    this.sent = sent
    this.random = stage.random.fork()
  }

  async run(): Promise<void> {
    const { random, stage } = this
    while (!stage.isEnding) {
      await stage.up()
      for (let left = random.below(4); left > 0 && stage.isUp; left--) this.publishOne()
      await pause(random.below(PAUSE_MS))
    }
  }

  private publishOne(): void {
    const { random, stage } = this
    const queues = this.queues()
    const since = stage.upSinceMs
    const serial = ++this.serial
    const topic = `jobs/${NAME}/${random.below(TOPICS)}`
    const payload = `${serial} ${topic} `
    const priority = random.below(PRIORITIES)
    const sent: QueueSent = {
      topic,
      serial,
      payload,
      priority,
      device: NAME,
      place: serial,
      qos: 2,
      sentAtMs: Date.now(),
      delayMs: 0,
      sends: 1,
      reasonCode: undefined,
    }
    this.sent.set(`${topic} ${serial}`, sent)
    stage.journal.counts.sent++
    queues.publish('amq.topic', topic.replaceAll('/', '.'), {
      payload: Buffer.from(payload),
      properties: encodeProperties({ priority }),
    })
    queues.store.commit.wait({
      committed: () => {
        if (!stage.isUp || stage.upSinceMs !== since) return
        sent.reasonCode = 0
        stage.journal.counts.acknowledged++
      },
    })
  }
}
