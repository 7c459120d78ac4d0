import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { vi } from 'vitest'
import { type Block, root } from './page.ts'

const require = createRequire(join(root, 'package.json'))
const SAYS = /\/\/ prints (.*)$/

/** What the block says it prints: the `// prints …` comments, in order. */
export function promised(block: Block): string[] {
  return block.text.split('\n').flatMap((line) => SAYS.exec(line)?.[1] ?? [])
}

/** Runs a block as a module of its own against the sources and returns what it printed. */
export async function run(block: Block, folder: string): Promise<string[]> {
  const path = join(folder, `${block.place.replaceAll(/\W/g, '-')}.ts`)
  writeFileSync(
    path,
    block.text.replaceAll(/ from '([^'.][^']*)'/g, (_, name: string) => ` from '${whereIs(name)}'`),
  )
  const printed: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
    printed.push(values.map(String).join(' '))
  })
  try {
    await import(/* @vite-ignore */ path)
  } finally {
    log.mockRestore()
  }
  return printed
}

/** A folder outside the repository finds no packages. */
function whereIs(name: string): string {
  if (name.startsWith('node:')) return name
  return name === 'sluicemq' ? join(root, 'src/index.ts') : pathToFileURL(require.resolve(name)).href
}
