import { open } from 'node:fs/promises'
import { isWhole, TRAILER_BYTES } from './table-block.ts'
import { Varints } from './varints.ts'

const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')

/**
 * What is wrong with the parts of a table by which LevelDB finds all others; undefined: nothing. It reads no more of the
 * file than these.
 */
export async function damageOfIndex(path: string, bytesExpected: number): Promise<string | undefined> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size !== bytesExpected) return `has ${size} bytes and should have ${bytesExpected}`
    const footer = Buffer.alloc(FOOTER_BYTES)
    if (size < FOOTER_BYTES) return 'is cut off'
    await file.read(footer, 0, FOOTER_BYTES, size - FOOTER_BYTES)
    if (!footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC)) return 'has a damaged end'
    const handles = new Varints(footer, 0)
    handles.next()
    handles.next()
    const [offset, indexBytes] = [handles.next(), handles.next()]
    if (offset + indexBytes + TRAILER_BYTES > size) return 'has a damaged end'
    const index = Buffer.alloc(indexBytes + TRAILER_BYTES)
    await file.read(index, 0, index.length, offset)
    return isWhole(index, 0, indexBytes) ? undefined : 'has a damaged index'
  } catch (error) {
    if (error instanceof RangeError) return 'has a damaged end'
    throw error
  } finally {
    await file.close()
  }
}
