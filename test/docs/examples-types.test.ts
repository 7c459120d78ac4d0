import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { blocksOf, pages, root } from './support/page.ts'

const blocks = pages()
  .flatMap((page) => blocksOf(page))
  .filter(({ kind }) => kind.split(' ')[0] === 'ts')

const CONFIG = {
  extends: join(root, 'tsconfig.json'),
  compilerOptions: {
    rootDir: '/',
    noEmit: true,
    declaration: false,
    // What a reader's own project need not ask for.
    noUncheckedIndexedAccess: false,
    noUnusedParameters: false,
    paths: { sluicemq: [join(root, 'src/index.ts')] },
  },
  include: ['*.ts'],
}

test('every example in TypeScript compiles, in strict mode', () => {
  expect(blocks.length).toBeGreaterThan(10)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-types-'))
  try {
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(CONFIG))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    for (const { place, text } of blocks) {
      // As many lines in front as the page has, so that a message of the compiler names the line of the page.
      const [page = '', line = ''] = place.split(':')
      const name = `${page.replaceAll(/\W/g, '-')}-${line}.ts`
      writeFileSync(join(folder, name), `${'\n'.repeat(Number(line))}${text}`)
    }
    // The sources are compiled along; what is wrong with them is told elsewhere.
    expect(compile(folder).filter((line) => line.includes(basename(folder)))).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** What the compiler has to say, line by line. */
function compile(folder: string): string[] {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  try {
    execFileSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' })
    return []
  } catch (error) {
    return (error as { stdout: string }).stdout.split('\n')
  }
}
