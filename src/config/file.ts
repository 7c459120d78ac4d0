import { readFile } from 'node:fs/promises'
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
} from 'yaml'
import { UsageError } from '../base/errors.ts'

/** A config file as read: plain values, and where in the file each of them stands. */
export interface ConfigFile {
  readonly value: unknown
  /** `sluice.yaml:4:5`: the key itself when `key` is given, otherwise the value at `path`, or what is nearest to it. */
  position(path: readonly PropertyKey[], key?: string): string
}

/** Reads and parses; throws UsageError when the file cannot be read or is not YAML. */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new UsageError('CONFIG_UNREADABLE', `cannot read the config file ${file}: ${reason(error)}`, error)
  }
  return parseConfigFile(file, text)
}

export function parseConfigFile(file: string, text: string): ConfigFile {
  const lines = new LineCounter()
  // The parser would compare each key with all others: ten thousand queues would take it a second.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const where = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const error = document.errors[0]
  if (error !== undefined) {
    const sentence = error.message.split('\n')[0] ?? error.message
    throw new UsageError('CONFIG_NOT_YAML', `${where(error.pos[0])} not valid YAML: ${sentence}`, error)
  }
  const twice = repeatedKey(document.contents)
  if (twice !== undefined) {
    throw new UsageError('CONFIG_NOT_YAML', `${where(twice.range[0])} not valid YAML: Map keys must be unique`)
  }
  return {
    value: plainValue(document, file),
    position: (path, key) => where(offsetOf(document, path, key)),
  }
}

/** The first key that stands in its map a second time. */
function repeatedKey(node: ParsedNode | null): Scalar.Parsed | undefined {
  if (isSeq(node)) return node.items.map(repeatedKey).find((found) => found !== undefined)
  if (!isMap(node)) return undefined
  const seen = new Set<unknown>()
  for (const { key, value } of node.items) {
    if (isScalar(key) && seen.has(key.value)) return key
    if (isScalar(key)) seen.add(key.value)
    const below = repeatedKey(value)
    if (below !== undefined) return below
  }
  return undefined
}

function plainValue(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS() ?? {}
  } catch (error) {
    // An alias without its anchor, or aliases that multiply without end.
    const text = error instanceof Error ? error.message : String(error)
    throw new UsageError('CONFIG_NOT_YAML', `${file} not valid YAML: ${text}`, error)
  }
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[], key: string | undefined): number {
  let node: ParsedNode | null = document.contents
  let offset = node?.range[0] ?? 0
  for (const part of key === undefined ? path : [...path, key]) {
    if (isSeq(node)) {
      const item: ParsedNode | undefined = node.items[Number(part)]
      if (item === undefined) break
      offset = item.range[0]
      node = item
      continue
    }
    if (!isMap(node)) break
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part))
    if (pair === undefined) break
    const target = part === key || !isNode(pair.value) ? pair.key : pair.value
    offset = target.range[0]
    node = pair.value
  }
  return offset
}

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'no permission to read it'
  if (code === 'EISDIR') return 'it is a folder'
  return error instanceof Error ? error.message : String(error)
}
