import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readEnvironment } from '../../src/config/environment.ts'
import { parseConfigFile } from '../../src/config/file.ts'
import { configKeys } from '../../src/config/keys.ts'
import { checkConfig } from '../../src/config/load.ts'
import { startFlags } from './support/help.ts'
import { anchorsOf, blocksOf, linksOf, pages, proseOf, readPage, root } from './support/page.ts'

const blocks = pages().flatMap((page) => blocksOf(page))
const keys = new Set(configKeys().map(({ name }) => name))
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
const FOLDERS = ['', 'src', 'src/session', 'src/session/mqtt', 'src/store', 'src/broker', 'docs', 'test', 'test/flow']

/** `session/mqtt/deliver.ts`, `test/defects/README.md`: what a page calls a file. */
function filesNamedIn(page: string): string[] {
  return [...proseOf(page).matchAll(/`([\w.-]+(?:\/[\w.-]+)*\.(?:ts|mjs|md|json|html|yml))`/g)].map(
    (match) => match[1] ?? '',
  )
}

function isThere(file: string): boolean {
  if (FOLDERS.some((folder) => existsSync(join(root, folder, file)))) return true
  return sources.some((source) => source.endsWith(`/${file}`))
}

describe.each(pages())('%s', (page) => {
  test('has no link that leads nowhere', () => {
    const broken = linksOf(page).filter(({ file, anchor }) => {
      if (!existsSync(join(root, file))) return true
      return anchor !== '' && !anchorsOf(file).has(anchor)
    })
    expect(broken.map(({ target }) => target)).toEqual([])
  })

  test('names no key of the configuration that does not exist', () => {
    const named = readPage(page).match(/`(limits|mqtt|http|sys|log)\.\w+`/g) ?? []
    expect(named.map((name) => name.slice(1, -1)).filter((name) => !keys.has(name))).toEqual([])
  })

  test('names no variable of the environment that does not exist', () => {
    const named = readPage(page).match(/SLUICE_[A-Z_]*[A-Z]/g) ?? []
    const environment = Object.fromEntries(named.map((name) => [name, '1']))
    expect(() => readEnvironment(environment)).not.toThrow()
  })
})

// Written by the bench, which may not have run yet; made by npm; written by a user.
const NOT_IN_THE_REPOSITORY = new Set(['docs/benchmarks.md', 'page.html', 'sluice.yaml'])

describe.each(['README.md', 'docs/architecture.md', 'docs/mqtt.md', 'docs/library.md'])('%s', (page) => {
  test('names no file that is not there', () => {
    const missing = filesNamedIn(page).filter((file) => !NOT_IN_THE_REPOSITORY.has(file) && !isThere(file))
    expect(missing).toEqual([])
  })
})

describe('the pages', () => {
  const files = blocks.filter(({ kind }) => kind === 'yaml')

  test.each(files)('have a config file at $place that is valid', ({ place, text }) => {
    expect(() => checkConfig(parseConfigFile(place, text), [])).not.toThrow()
  })

  test('have config files', () => {
    expect(files.length).toBeGreaterThan(1)
  })

  test('have no command of sluice start with a flag that does not exist', async () => {
    const flags = await startFlags()
    const lines = blocks
      .filter(({ kind }) => kind === 'sh')
      .flatMap(({ text }) => text.split('\n'))
      .filter((line) => /npm start --|sluice start|main\.js start/.test(line))
    const given = lines.flatMap((line) => line.match(/(?<=\s)--[a-z-]+/g) ?? [])
    expect(given.filter((flag) => !flags.has(flag))).toEqual([])
    expect(lines.length).toBeGreaterThan(0)
  })
})
