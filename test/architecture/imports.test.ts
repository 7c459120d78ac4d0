import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../src', import.meta.url))
const LINES_MAX = 350

/** A folder imports only folders of a lower rank; folders of one rank do not know each other (docs/architecture.md). */
const RANKS = new Map([
  ['base', 0],
  ['message', 1],
  ['config', 1],
  ['wire', 2],
  ['listener', 2],
  ['access', 2],
  ['router', 2],
  ['store', 2],
  ['queue', 3],
  ['broker', 4],
  ['session', 5],
  ['connector', 5],
  ['admin', 5],
])

/** They put the parts together and may import all of them. */
const COMPOSERS = new Set(['compose.ts', 'index.ts', 'main.ts', 'maintenance.ts'])

const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))

interface Import {
  from: string
  to: string
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  // `import … from './x.ts'`, `export … from`, `import './x.ts'`, `import('./x.ts')`, type imports included.
  const found = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']*)'/g)
  return [...found].map(([, path]) => ({
    from: file,
    to: relative(root, resolve(root, dirname(file), path ?? '')),
  }))
}

const imports = files.flatMap(importsOf)

/** `wire/mqtt` and `wire/amqp` are folders of their own, as are `session/…` and `store/…`: parts of one rank. */
function folderOf(file: string): string {
  return file.split('/')[0] ?? ''
}

function isAllowed({ from, to }: Import): boolean {
  if (COMPOSERS.has(from)) return true
  const [here, there] = [folderOf(from), folderOf(to)]
  // The command line drives what compose built, and knows nothing behind it.
  if (here === 'cli')
    return there === 'cli' || there === 'base' || there === 'config' || to === 'compose.ts' || to === 'maintenance.ts'
  if (COMPOSERS.has(to) || there === 'cli') return false
  if (here === there) return !crossesProtocols(from, to)
  return (RANKS.get(there) ?? Number.POSITIVE_INFINITY) < (RANKS.get(here) ?? -1)
}

function crossesProtocols(from: string, to: string): boolean {
  const [here, there] = [from.split('/'), to.split('/')]
  return here.length > 2 && there.length > 2 && here[1] !== there[1]
}

describe('the source', () => {
  test('imports only what has a lower rank', () => {
    expect(imports.filter((each) => !isAllowed(each)).map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  test('is seen whole by this test', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(imports.length).toBeGreaterThan(files.length)
    expect(imports.filter(({ to }) => !files.includes(to))).toEqual([])
  })

  test('has no folder without a rank', () => {
    const folders = new Set(files.filter((file) => file.includes('/')).map(folderOf))
    expect([...folders].filter((folder) => folder !== 'cli' && !RANKS.has(folder))).toEqual([])
  })

  test('speaks of the network and of the wire only where it is allowed to', () => {
    const aboveTheWire = ['config', 'store', 'router', 'queue', 'message', 'base']
    const guilty = files.filter(
      (file) =>
        aboveTheWire.includes(folderOf(file)) &&
        /from '(node:net|node:http|node:tls|ws|aedes|mqtt)'/.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(guilty).toEqual([])
  })

  test.each(files)('keeps %s at a size that can be read at once', (file) => {
    expect(readFileSync(join(root, file), 'utf8').split('\n').length - 1).toBeLessThanOrEqual(LINES_MAX)
  })

  test('names its files in kebab-case', () => {
    expect(files.filter((file) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(file))).toEqual([])
  })

  // `any` itself is the linter's business, which knows a type from a word.
  test('silences neither the compiler nor the linter', () => {
    const guilty = files.filter((file) =>
      /@ts-(?:ignore|nocheck|expect-error)|(?:oxlint|eslint)-disable/.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(guilty).toEqual([])
  })
})
