import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url))

const LEFT_OUT = new Set(['node_modules', 'dist', '.git', 'coverage'])

/** A fenced block of a page. */
export interface Block {
  /** What stands behind the fence: `ts`, `yaml`, `ts runs`. */
  readonly kind: string
  readonly text: string
  /** `docs/library.md:40`, the line of its fence. */
  readonly place: string
}

/** Paths of all pages in Markdown, from the root of the repository. */
export function pages(): string[] {
  return [...pagesIn(root)].map((path) => relative(root, path)).sort()
}

function* pagesIn(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (LEFT_OUT.has(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* pagesIn(path)
    else if (entry.name.endsWith('.md')) yield path
  }
}

export function readPage(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

export function blocksOf(path: string): Block[] {
  const blocks: Block[] = []
  let open: { kind: string; line: number; lines: string[] } | undefined
  for (const [index, line] of readPage(path).split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line)
    if (fence === null) open?.lines.push(line)
    else if (open === undefined) open = { kind: (fence[1] ?? '').trim(), line: index + 1, lines: [] }
    else {
      blocks.push({ kind: open.kind, text: `${open.lines.join('\n')}\n`, place: `${path}:${open.line}` })
      open = undefined
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: the block does not end`)
  return blocks
}

/** The page without its fenced blocks. */
export function proseOf(path: string): string {
  return readPage(path).replaceAll(/^```[^\n]*\n[\s\S]*?^```$/gm, '')
}

/** Targets of the links that lead to another file or heading of the repository: `file`, `anchor`. */
export function linksOf(path: string): { target: string; file: string; anchor: string }[] {
  const found = [...proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '')
  return found
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', anchor = ''] = target.split('#')
      return { target, file: file === '' ? path : join(dirname(path), file), anchor }
    })
}

/** Anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(path: string): Set<string> {
  const headings = [...proseOf(path).matchAll(/^#{1,6} (.+)$/gm)].map((match) => match[1] ?? '')
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(/\s/g, '-'),
    ),
  )
}
