import { readFileSync } from 'node:fs'

/** For the store, the log, listeners, commands and what else a program has open. */
const KEPT = 128

/** Fewer connections than the configuration allows, because each is an open file of the process. */
export interface DescriptorShortage {
  readonly connections: number
  readonly openFilesMax: number
}

/** Undefined: there are descriptors for so many connections, or the system does not say. */
export function descriptorShortage(connectionsMax: number): DescriptorShortage | undefined {
  const openFilesMax = descriptorsMax()
  if (openFilesMax === undefined) return undefined
  const connections = connectionsWithin(openFilesMax)
  return connections < connectionsMax ? { connections, openFilesMax } : undefined
}

/** How many files and connections this process may have open at once; undefined where the system does not say. */
export function descriptorsMax(): number | undefined {
  try {
    return parseLimits(readFileSync('/proc/self/limits', 'utf8'))
  } catch {
    return undefined
  }
}

/** The soft limit in `/proc/self/limits`, which Node has raised to the hard one when it started. */
export function parseLimits(text: string): number | undefined {
  const soft = /^Max open files +(\d+)/m.exec(text)?.[1]
  return soft === undefined ? undefined : Number(soft)
}

/**
 * Connections that so many descriptors are enough for. Beyond them the system refuses connections without anybody
 * noticing, and files that the store needs as well.
 */
export function connectionsWithin(descriptors: number): number {
  return Math.max(descriptors - KEPT, Math.floor(descriptors / 2))
}
