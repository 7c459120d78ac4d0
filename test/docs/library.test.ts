import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { promised, run } from './support/example.ts'
import { blocksOf, readPage } from './support/page.ts'

const examples = blocksOf('docs/library.md').filter(({ kind }) => kind === 'ts runs')
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('docs/library.md', () => {
  const rows = new Set([...readPage('docs/library.md').matchAll(/^\| `(\w+)/gm)].map(([, name]) => name))
  const aedes = readPage('node_modules/aedes/docs/Aedes.md')

  test.each(['Event', 'Handler'])('has a row for each %s that aedes documents', (kind) => {
    const names = [...aedes.matchAll(new RegExp(`^## ${kind}: (\\w+)`, 'gm'))].map(([, name]) => name)
    expect(names.length).toBeGreaterThan(5)
    expect(names.filter((name) => !rows.has(name))).toEqual([])
  })
})

describe('the examples of docs/library.md', () => {
  test('are there', () => {
    expect(examples.length).toBeGreaterThan(8)
  })

  test.each(examples)('at $place print what they say', async (block) => {
    const printed = await run(block, folder)
    expect(printed).toEqual(promised(block))
    expect(printed).not.toEqual([])
  })
})
