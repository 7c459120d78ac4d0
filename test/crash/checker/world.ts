import type { Duplex } from 'node:stream'
import type { Random } from './random.ts'

/** A broker that is made to fail again and again, and the disk that outlives it. */
export interface World {
  /** A topic to which nobody may publish. */
  readonly deniedTopic: string
  /** The same as a filter that anybody may subscribe to. */
  readonly deniedFilter: string
  start(): Promise<void>
  /** Begins to start and does not live to see the end of it. */
  failToStart(random: Random): Promise<void>
  open(): Promise<Duplex>
  /** The broker is gone, one way or another; answers how. */
  crash(random: Random): Promise<string>
  /** All that is on the disk while the broker is down. */
  rows(): Promise<[key: Buffer, value: Buffer][]>
  /** What `sluice store check` finds to be damaged while the broker is down; undefined: nothing. */
  check(): Promise<string | undefined>
  stop(): Promise<void>
}

/** The connection is gone, and with it whatever was waited for. */
export class ConnectionLost extends Error {
  constructor() {
    super('the connection is lost')
    this.name = 'ConnectionLost'
  }
}
