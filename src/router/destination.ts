import type { Message } from '../message/message.ts'
import type { QoS } from '../message/qos.ts'

/** One subscription or binding as the router keeps it. */
export interface Subscription {
  /** Without `$share/name/`. */
  readonly filter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  /** MQTT 5 subscription identifier; 0: none. */
  readonly identifier: number
}

/** What the router found for one destination of one topic, overlapping subscriptions merged (MQTT-3.3.4-2). */
export interface Delivery {
  readonly destination: Destination
  /** Highest of the matching subscriptions. */
  readonly qos: QoS
  /** True only when each matching subscription says so. */
  readonly noLocal: boolean
  /** What it gets of its own messages, where only some of the matching subscriptions say no-local. */
  readonly own?: Delivery | undefined
  /** True when any matching subscription says so. */
  readonly retainAsPublished: boolean
  /** Ascending, without repetition; empty: none. */
  readonly identifiers: readonly number[]
}

/**
 * QoS 0 PUBLISH packets without RETAIN and without MQTT 5 properties, of one publisher on one topic, that stand one
 * behind the other in a read chunk: `buffer[start, end)` holds `count` whole frames.
 */
export interface FrameRun {
  readonly topic: string
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
  readonly count: number
  /** Whether the frames have the layout of version 5 (a property length of 0) or that of 3.1 and 3.1.1. */
  readonly version5: boolean
  readonly largestFrameBytes: number
  readonly publisher: string
}

/** Whoever takes messages from the router: a session, a shared group, a queue, a listener in the process. */
export interface Destination {
  /** Keeps messages above QoS 0 in the store; absent: does not. While the store cannot write, they are refused. */
  readonly stores?: boolean
  /**
   * Takes one message. Where it has to be on disk before the publisher may be told, sets `message.commitEpoch`;
   * where it is refused, sets `message.refusal`. Never throws and never waits.
   */
  offer(message: Message, delivery: Delivery): void
  /**
   * Takes a whole run as it came from the wire. False when these bytes are not what this destination has to get; it is
   * offered the messages one by one then.
   */
  offerFrames?(run: FrameRun, delivery: Delivery): boolean
}

/** The destinations of one topic. A connection may keep it and use it for as long as `stale` is false. */
export interface Route {
  readonly topic: string
  readonly deliveries: readonly Delivery[]
  readonly stale: boolean
}
