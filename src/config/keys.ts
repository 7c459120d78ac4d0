import { z } from 'zod'
import { configSchema } from './schema.ts'

/** One key that has a value of its own, not an area. */
export interface ConfigKey {
  /** As in a message: `limits.packetBytesMax`. */
  readonly name: string
  readonly path: readonly string[]
  /** `SLUICE_LIMITS_PACKET_BYTES_MAX` */
  readonly variable: string
  readonly kind: 'number' | 'boolean' | 'text'
  readonly byDefault: unknown
}

function unwrap(schema: unknown): unknown {
  const isWrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional
  return isWrapped ? unwrap(schema.unwrap()) : schema
}

/** Of what may be written in several ways, the way that has keys. */
function withKeys(schema: unknown): unknown {
  const inner = unwrap(schema)
  return inner instanceof z.ZodUnion ? inner.options.find((option) => option instanceof z.ZodObject) : inner
}

function kindOf(schema: unknown): ConfigKey['kind'] {
  if (schema instanceof z.ZodNumber) return 'number'
  return schema instanceof z.ZodBoolean ? 'boolean' : 'text'
}

function variableOf(path: readonly string[]): string {
  const words = path.map((part) => part.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase())
  return `SLUICE_${words.join('_')}`
}

function* walk(schema: unknown, path: readonly string[]): Generator<ConfigKey> {
  const inner = unwrap(schema)
  // The names in a map are the user's: no variable can stand for them.
  if (inner instanceof z.ZodRecord) return
  if (inner instanceof z.ZodObject) {
    for (const [part, child] of Object.entries(inner.shape)) yield* walk(child, [...path, part])
    return
  }
  const byDefault = schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined
  yield { name: path.join('.'), path, variable: variableOf(path), kind: kindOf(inner), byDefault }
}

/** Every key of the configuration, read from the schema so that no list has to be kept beside it. */
export function configKeys(): ConfigKey[] {
  return [...walk(configSchema, [])]
}

/** The keys that may stand at `path`; none when it is not an area. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configSchema
  for (const part of path) {
    const inner = unwrap(schema)
    if (inner instanceof z.ZodObject && Object.hasOwn(inner.shape, part)) schema = inner.shape[part as string]
    else if (inner instanceof z.ZodRecord) schema = inner.valueType
    else if (inner instanceof z.ZodArray) schema = inner.element
    else return []
  }
  const inner = withKeys(schema)
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
}
