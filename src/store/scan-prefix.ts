import { keyAfter, prefixEnd } from './keys.ts'
import type { Store } from './store.ts'

const PAGE_ENTRIES = 2_000

/** Every committed entry whose key begins with `prefix`, in the order of keys, read page by page. */
export async function* scanPrefix(store: Store, prefix: Buffer): AsyncGenerator<[key: Buffer, value: Buffer]> {
  const to = prefixEnd(prefix)
  let from = prefix
  for (;;) {
    const page = await store.scan(from, to, PAGE_ENTRIES)
    const last = page.at(-1)
    if (last === undefined) return
    yield* page
    from = keyAfter(last[0])
  }
}
