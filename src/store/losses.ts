import type { RecordKinds } from './account.ts'
import type { Backend } from './backend.ts'
import { Block } from './block.ts'
import { nameOfRecord } from './key-names.ts'
import { blockDataKey, entrySeq, KIND_BLOCK, numberOfKey } from './keys.ts'
import type { Losses } from './level/salvage.ts'
import type { LogLoss } from './level/salvage-log.ts'
import type { Change, TableGap } from './level/salvage-table.ts'

const NAMES_MAX = 8

/** A line for each place in the files that could not be read: what stood there, as far as that can be known. */
export function* describeLosses({ tables, logs }: Losses, kinds: RecordKinds): Generator<string> {
  for (const { file, gap } of tables) yield `file db/${file}: ${describeGap(gap, kinds)}`
  for (const { file, loss } of logs) yield `file db/${file}: ${describeLoss(loss, kinds)}`
}

/** Blocks of messages of which neither the record nor the data is left, as the damaged bytes have it. */
export async function lostBlocks({ logs }: Losses, backend: Backend): Promise<{ fifo: number; block: Block }[]> {
  const found: { fifo: number; block: Block }[] = []
  for (const { key, value } of logs.flatMap(({ loss }) => loss.changes)) {
    if (key[0] !== KIND_BLOCK || value === undefined) continue
    try {
      const fifo = numberOfKey(key)
      const block = Block.decode(entrySeq(key), value)
      const [older, data] = await backend.getMany([key, blockDataKey(fifo, block.firstSeq)])
      if (older === undefined && data === undefined) found.push({ fifo, block })
    } catch {
      // The damage is in these very bytes.
    }
  }
  return found
}

function describeGap({ start, end, before, after }: TableGap, kinds: RecordKinds): string {
  const place = `${end - start} bytes (from byte ${start} on) cannot be read`
  if (before === undefined && after === undefined) return `${place}: nothing of it is saved`
  const name = (key: Buffer): string => `'${nameOfRecord(key, kinds)}'`
  if (after === undefined) return `${place}: what came behind ${name(before as Buffer)} is lost`
  if (before === undefined) return `${place}: what came before ${name(after)} is lost`
  return `${place}: what was between ${name(before)} and ${name(after)} is lost`
}

function describeLoss({ offset, why, count, changes }: LogLoss, kinds: RecordKinds): string {
  const place = `what stands at byte ${offset} ${why}`
  if (count === 0) return `${place}, and all changes around it are saved`
  const many = count === undefined ? 'changes are lost, and how many is not known' : `${plural(count, 'change')} lost`
  const lost = namesOf(
    changes.filter(({ hasOlder }) => hasOlder !== true),
    kinds,
  )
  const older = namesOf(
    changes.filter(({ hasOlder }) => hasOlder === true),
    kinds,
  )
  const lostText = lost === '' ? '' : `, as it seems of: ${lost}`
  return `${place}: ${many}${lostText}${older === '' ? '' : `; as they were before, there are: ${older}`}`
}

function namesOf(changes: readonly Change[], kinds: RecordKinds): string {
  const names = [...new Set(changes.map(({ key }) => nameOfRecord(key, kinds)))]
  const more = names.length > NAMES_MAX ? `; and ${names.length - NAMES_MAX} more` : ''
  return `${names.slice(0, NAMES_MAX).join('; ')}${more}`
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? ' is' : 's are'}`
}
