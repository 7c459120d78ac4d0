import type { Config } from './schema.ts'

/**
 * What a message calls a place of the configuration: `sluice.yaml:4:5 queues.orders.type`. `path` leads to a value;
 * with `key` it leads to a key that stands in that value.
 */
export type Place = (path: readonly PropertyKey[], key?: string) => string

const places = new WeakMap<Config, Place>()

/** For what is only found to be wrong when it meets the rest: the configuration knows where it was written. */
export function rememberPlace(config: Config, place: Place): Config {
  places.set(config, place)
  return config
}

/** Where the user wrote what the configuration says at `path`; by its name alone where nobody knows. */
export function placeOf(config: Config, path: readonly PropertyKey[], key?: string): string {
  return places.get(config)?.(path, key) ?? [...path, ...(key === undefined ? [] : [key])].join('.')
}
