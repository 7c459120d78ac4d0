import type { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { CONFIG_VARIABLE, type Environment, type Override, readEnvironment } from './environment.ts'
import type { ConfigFile } from './file.ts'
import { configKeys } from './keys.ts'
import { rememberPlace } from './place.ts'
import { describeProblem, type Problem } from './problem.ts'
import { prepareMaps } from './queues.ts'
import { type Config, configSchema } from './schema.ts'

export interface ConfigSources {
  /** Path of a YAML file; without it the one that `SLUICE_CONFIG` names, if any. */
  readonly file?: string | undefined
  readonly environment: Environment
  readonly flags?: readonly Override[]
}

/** Defaults, overridden by the file, by the environment, by flags. Throws UsageError with one line that says where. */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const overrides = [...readEnvironment(sources.environment), ...(sources.flags ?? [])]
  const path = sources.file ?? (sources.environment[CONFIG_VARIABLE] || undefined)
  let file: ConfigFile | undefined
  if (path !== undefined) {
    // Loaded when it is needed: it would take a tenth of the time to start.
    const { readConfigFile } = await import('./file.ts')
    file = await readConfigFile(path)
  }
  return checkConfig(file, overrides)
}

export function checkConfig(file: ConfigFile | undefined, overrides: readonly Override[]): Config {
  const value = withoutEmptyAreas(file?.value ?? {})
  const wrongName = isArea(value) ? prepareMaps(value) : undefined
  for (const override of overrides) apply(value, override)
  const checked = configSchema.safeParse(value)
  if (checked.success && wrongName === undefined) {
    return rememberPlace(checked.data, (path, unknownKey) => place({ path, unknownKey }, file, overrides))
  }
  const problem = wrongName ?? describeProblem(checked.error as z.ZodError, value)
  throw new UsageError('CONFIG_INVALID', `${place(problem, file, overrides)}: ${problem.text}`)
}

// An area whose lines are all commented out is null in YAML; to the user it is simply empty.
function withoutEmptyAreas(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([, area]) => area !== null))
}

function apply(value: unknown, override: Override): void {
  const parents = override.path.slice(0, -1)
  const last = override.path.at(-1) ?? ''
  let area = value
  for (const part of parents) {
    if (!isArea(area)) return
    area[part] ??= {}
    area = area[part]
  }
  // An area that is no area in the file is an error that the schema reports.
  if (isArea(area)) area[last] = typed(override)
}

function isArea(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function typed({ path, text }: Override): unknown {
  const name = path.join('.')
  const kind = configKeys().find((key) => key.name === name)?.kind
  if (kind === 'number' && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function place(problem: Omit<Problem, 'text'>, file: ConfigFile | undefined, overrides: readonly Override[]): string {
  const name = problem.path.join('.')
  const override = overrides.findLast(({ path }) => path.join('.') === name)
  if (override !== undefined && problem.unknownKey === undefined) return override.source
  return [file?.position(problem.path, problem.unknownKey), name].filter(Boolean).join(' ')
}
