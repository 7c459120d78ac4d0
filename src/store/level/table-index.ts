import { open } from 'node:fs/promises'
import { isWhole, TRAILER_BYTES } from './table-block.ts'
import { FOOTER_BYTES, readFooter } from './table-file.ts'

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
    const place = readFooter(footer)?.index
    if (place === undefined || place.offset + place.size + TRAILER_BYTES > size) return 'has a damaged end'
    const index = Buffer.alloc(place.size + TRAILER_BYTES)
    await file.read(index, 0, index.length, place.offset)
    return isWhole(index, 0, place.size) ? undefined : 'has a damaged index'
  } catch (error) {
    if (error instanceof RangeError) return 'has a damaged end'
    throw error
  } finally {
    await file.close()
  }
}
