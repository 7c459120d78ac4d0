import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startFlags } from './support/help.ts'
import { blocksOf, readPage, root } from './support/page.ts'

const README = 'README.md'

describe('README.md', () => {
  /** Flag → default, of the table of flags. */
  const rows = new Map(
    [...readPage(README).matchAll(/^\| `(--[a-z-]+)[^`]*` \| ([^|]*)\|/gm)].map(
      ([, flag = '', byDefault = '']) => [flag, byDefault.trim()] as const,
    ),
  )

  test('has a row for each flag of sluice start and for nothing else', async () => {
    expect([...rows.keys()].sort()).toEqual([...(await startFlags()).keys()].sort())
  })

  test('tells the default of each flag as the help does', async () => {
    const told = [...(await startFlags())].map(([flag, text]) => [flag, /\(default: (.*)\)/.exec(text)?.[1] ?? ''])
    const shown = [...rows].map(([flag, byDefault]) => [flag, byDefault === 'none' ? '' : byDefault])
    expect(shown.sort()).toEqual(told.sort())
  })

  test('starts commands that package.json has', () => {
    const { scripts } = JSON.parse(readPage('package.json')) as { scripts: Record<string, string> }
    const commands = readPage(README).match(/npm (?:run )?(?:start|test|bench|build|device:\w+)/g) ?? []
    const names = new Set(commands.map((command) => command.replace(/npm (run )?/, '')))
    expect([...names].filter((name) => scripts[name] === undefined)).toEqual([])
    expect(names).toContain('start')
  })

  test('loads a script into its browser page that the packages have', () => {
    const page = blocksOf(README).find(({ kind }) => kind === 'html')?.text ?? ''
    const [, source = ''] = /<script src="([^"]+)">/.exec(page) ?? []
    expect(source).toMatch(/^node_modules\//)
    expect(existsSync(join(root, source))).toBe(true)
  })

  test('has a test that passes', () => {
    const example = blocksOf(README).find(({ kind }) => kind === 'ts')?.text ?? ''
    const folder = mkdtempSync(join(tmpdir(), 'sluice-readme-'))
    try {
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
      const alias = { sluicemq: join(root, 'src/index.ts') }
      writeFileSync(join(folder, 'vitest.config.mjs'), `export default ${JSON.stringify({ resolve: { alias } })}\n`)
      writeFileSync(join(folder, 'example.test.ts'), example)
      const vitest = join(root, 'node_modules/vitest/vitest.mjs')
      const report = execFileSync(process.execPath, [vitest, 'run', '--root', folder, '--reporter', 'json'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      expect(JSON.parse(report)).toMatchObject({ numPassedTests: 1, numFailedTests: 0 })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
