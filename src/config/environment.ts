import { UsageError } from '../base/errors.ts'
import { configKeys } from './keys.ts'
import { nearest } from './problem.ts'
import { MAP_KEYS } from './queues.ts'

/** One value from the environment or a flag, still as the text the user wrote. */
export interface Override {
  readonly path: readonly string[]
  readonly text: string
  /** What a message calls it: `--mqtt-port`, `SLUICE_MQTT_PORT`. */
  readonly source: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Names the config file, as `--config` does. */
export const CONFIG_VARIABLE = 'SLUICE_CONFIG'

// Kubernetes puts such variables into every container for each service of the namespace; a service called `sluice`
// must not keep the broker from starting.
const SERVICE_LINK = /^SLUICE_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$/
const NO_MAPS = 'a variable cannot hold names and definitions; write them into the config file, under'
const SERVICE_ADDRESS = /^(tcp|udp):\/\//

/** What `SLUICE_…` variables say; an empty one counts as not set, an unknown one is an error. */
export function readEnvironment(environment: Environment): Override[] {
  const byVariable = new Map(configKeys().map((key) => [key.variable, key]))
  const overrides: Override[] = []
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || text === '' || !isOurs(variable, text)) continue
    const key = byVariable.get(variable)
    if (key === undefined) {
      const map = MAP_KEYS.find((name) => `${variable}_`.startsWith(`SLUICE_${name.toUpperCase()}_`))
      if (map !== undefined) throw new UsageError('CONFIG_UNKNOWN_VARIABLE', `${variable}: ${NO_MAPS} ${map}`)
      const meant = nearest(variable, [...byVariable.keys(), CONFIG_VARIABLE])
      const help = meant === undefined ? 'unset it, or see the list in docs/limits.md' : `did you mean ${meant}?`
      throw new UsageError('CONFIG_UNKNOWN_VARIABLE', `unknown environment variable ${variable}; ${help}`)
    }
    overrides.push({ path: key.path, text, source: variable })
  }
  return overrides
}

function isOurs(variable: string, text: string): boolean {
  if (!variable.startsWith('SLUICE_') || variable === CONFIG_VARIABLE) return false
  // The test suite and the bench have settings of their own.
  if (variable.startsWith('SLUICE_TEST_') || variable.startsWith('SLUICE_BENCH_')) return false
  return !SERVICE_LINK.test(variable) && !SERVICE_ADDRESS.test(text)
}
