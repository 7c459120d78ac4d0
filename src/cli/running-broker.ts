import type { Log } from '../base/log.ts'
import type { Config } from '../config/schema.ts'

/** What a command line needs of a broker: where it listens, and how to end it. */
export interface RunningBroker {
  readonly addresses: readonly { readonly url: string }[]
  close(): Promise<void>
}

export type StartBroker = (config: Config, log: Log) => Promise<RunningBroker>
