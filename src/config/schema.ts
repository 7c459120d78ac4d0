import { z } from 'zod'
import { limitsSchema } from './limits.ts'
import { exchangesSchema, queuesSchema } from './queues.ts'

const port = z.int().min(0).max(65_535)
const host = z.string().min(1).max(255).default('127.0.0.1')
const enabled = z.boolean().default(true)

/** MQTT over TCP. Port 0 takes a free port. */
const mqttSchema = z.strictObject({ enabled, host, port: port.default(1883) })

/** HTTP, with MQTT over WebSocket at /mqtt. Port 0 takes a free port. */
const httpSchema = z.strictObject({ enabled, host, port: port.default(8080) })

const logSchema = z.strictObject({
  level: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info'),
})

const sysSchema = z.strictObject({
  /** Seconds between two rounds of `$SYS/…`; 0 publishes none. */
  intervalSeconds: z.int().min(0).max(86_400).default(10),
})

const topicsSchema = z.strictObject({
  /** How topics become routing keys: see `message/key-topic`. */
  conversion: z.enum(['escape', 'rabbitmq']).default('escape'),
})

/**
 * The whole configuration. The same keys serve the YAML file, the library's options and, spelt as `SLUICE_MQTT_PORT`,
 * the environment.
 */
export const configSchema = z.strictObject({
  mqtt: mqttSchema.prefault({}),
  http: httpSchema.prefault({}),
  /** Folder of the store, relative to the working directory; created when it is not there. */
  data: z.string().min(1).default('./sluice-data'),
  durability: z.enum(['fsync', 'os', 'memory']).default('fsync'),
  log: logSchema.prefault({}),
  /**
   * Response Information that a client of MQTT 5 may ask for is this with its client identifier behind it (section
   * 3.2.2.3.15); empty: there is none.
   */
  responseTopicPrefix: z.string().max(1024).default('response/'),
  sys: sysSchema.prefault({}),
  topics: topicsSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  exchanges: exchangesSchema.prefault({}),
  queues: queuesSchema.prefault({}),
})

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T

/** Checked and complete: every key has its value. */
export type Config = DeepReadonly<z.output<typeof configSchema>>

/** What a user may write: every key may be left out. */
export type PartialConfig = DeepReadonly<z.input<typeof configSchema>>

/** Every key at its default, both listeners on. */
export function defaultConfig(): Config {
  return configSchema.parse({})
}
