import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { promised, run } from './support/example.ts'
import { blocksOf } from './support/page.ts'

const examples = blocksOf('docs/queues.md').filter(({ kind }) => kind === 'ts runs')
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-docs-queues-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('the examples of docs/queues.md', () => {
  test('are there', () => {
    expect(examples.length).toBeGreaterThan(1)
  })

  test.each(examples)('at $place print what they say', async (block) => {
    const printed = await run(block, folder)
    expect(printed).toEqual(promised(block))
    expect(printed).not.toEqual([])
  })
})
