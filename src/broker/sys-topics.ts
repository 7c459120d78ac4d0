import { EMPTY, Message } from '../message/message.ts'
import type { Broker } from './broker.ts'

/** What `$SYS` tells of the sessions, which the broker itself does not know. */
export interface SessionFigures {
  /** All that the broker knows, connected or not. */
  readonly count: number
  /** Messages that wait for a client or for its acknowledgement. */
  readonly queuedCount: number
}

/**
 * Publishes the broker's figures below `$SYS/broker/`, by mosquitto's names, retained in memory. A figure goes out when
 * it has changed: at the next round, or at once where somebody may have to act.
 */
export class SysTopics {
  private readonly broker: Broker
  private readonly sessions: SessionFigures
  private readonly startedMs: number
  private readonly latest = new Map<string, string>()
  private timer: unknown
  private isRunning = false
  private residentBytes = 0

  constructor(broker: Broker, sessions: SessionFigures) {
    this.broker = broker
    this.sessions = sessions
    this.startedMs = broker.clock.now()
  }

  /** The first round goes out at once. */
  start(intervalSeconds: number, version: string): void {
    if (intervalSeconds === 0) return
    this.isRunning = true
    this.set('version', `sluice version ${version}`)
    const round = (): void => {
      this.publish()
      this.timer = this.broker.clock.after(intervalSeconds * 1000, round)
    }
    round()
  }

  /** The store stopped writing, or writes again. */
  storeChanged(): void {
    if (!this.isRunning) return
    for (const [topic, value] of this.storeFigures()) this.set(topic, String(value))
  }

  stop(): void {
    this.isRunning = false
    this.broker.clock.clear(this.timer)
  }

  private publish(): void {
    const { broker, sessions } = this
    const { counters, retained, router, store } = broker
    const connected = broker.connectedClients
    const groups = [...router.sharedGroups()]
    const droppedByGroups = groups.reduce((sum, group) => sum + group.dropped, 0)
    const figures: [topic: string, value: number | string][] = [
      ['uptime', `${Math.floor((broker.clock.now() - this.startedMs) / 1000)} seconds`],
      ['clients/connected', connected],
      ['clients/disconnected', Math.max(0, sessions.count - connected)],
      ['clients/total', sessions.count],
      ['clients/maximum', counters.clientsConnectedMax],
      ['clients/expired', counters.sessionsExpired],
      ['connections/opened', counters.connectionsOpened],
      ['connections/refused', counters.connectionsRefused],
      ['connections/delayed', counters.connectionsDelayed],
      ['connections/protocol_errors', counters.protocolErrors],
      ['messages/received', counters.packetsReceived],
      ['messages/sent', counters.packetsSent],
      ['bytes/received', counters.bytesReceived],
      ['bytes/sent', counters.bytesSent],
      ['publish/messages/received', counters.publishReceived],
      ['publish/messages/sent', counters.publishSent],
      ['publish/messages/dropped', counters.publishDropped],
      ['publish/messages/refused', counters.publishRefused],
      ['publish/messages/expired', counters.messagesExpired],
      ['publish/bytes/received', counters.publishBytesReceived],
      ['publish/bytes/sent', counters.publishBytesSent],
      ['subscriptions/count', router.subscriptionCount],
      ['shared_subscriptions/count', groups.length],
      ['shared_subscriptions/dropped', droppedByGroups],
      ['retained messages/count', retained.count],
      ['store/messages/count', sessions.queuedCount + retained.count],
      ['store/messages/bytes', retained.bytes],
      ['store/commits', store.commit.committedEpoch],
      ...this.storeFigures(),
      ['heap/current', this.measureResident()],
      ['heap/queues', store.queueMemory.bytes],
      ['heap/connections', broker.connectionMemory.bytes],
    ]
    for (const [topic, value] of figures) this.set(topic, String(value))
  }

  private measureResident(): number {
    try {
      this.residentBytes = process.memoryUsage.rss()
    } catch {
      // Node reads it from a file, and when the process has no descriptor left the latest figure stays.
    }
    return this.residentBytes
  }

  private storeFigures(): [topic: string, value: number][] {
    const { counters, store } = this.broker
    return [
      ['store/failing', store.commit.failure === undefined ? 0 : 1],
      ['store/failures', counters.storeFailures],
    ]
  }

  private set(name: string, value: string): void {
    if (this.latest.get(name) === value) return
    this.latest.set(name, value)
    const { broker } = this
    const message = new Message(`$SYS/broker/${name}`, Buffer.from(value), 0, true, EMPTY)
    broker.retained.set(message)
    // Past the pipeline: aedes' numbers count what clients and plugins publish.
    for (const delivery of broker.router.route(message.topic).deliveries) delivery.destination.offer(message, delivery)
  }
}
