import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Backend } from '../backend.ts'
import { Batch } from '../batch.ts'
import { keyAfter } from '../keys.ts'
import { linkLock } from './folder-view.ts'
import { LevelBackend } from './level-backend.ts'
import { LOG_PATTERN, liveTables, numberOfFile, readVersion, TABLE_PATTERN } from './live-tables.ts'
import { targetFailed } from './new-store.ts'
import { type LogLoss, type LostChange, salvageLog } from './salvage-log.ts'
import { type Change, salvageTable, type TableGap } from './salvage-table.ts'

/** What could not be read of the files. */
export interface Losses {
  readonly tables: readonly { readonly file: string; readonly gap: TableGap }[]
  readonly logs: readonly { readonly file: string; readonly loss: LogLoss }[]
}

// In front of each value in the scratch database: which change it is of, u56, and whether that deletes the key.
const STAMP_BYTES = 8
const DELETED = 0
const PUT = 1
const PAGE = 1_000
const PAGE_BYTES = 4 * 1024 * 1024
// One past the largest kind of key.
const END = Buffer.of(0xff)
const SECTOR_BYTES = 4096

/**
 * The changes of a damaged database that stand in blocks and records with a right checksum, gathered in a database of
 * their own. LevelDB's own repair takes a table without its index for nothing, and does not look at checksums in a log.
 * Holds the lock of the original while it is open.
 */
export class Salvage {
  readonly backend: Backend
  readonly losses: Losses
  private readonly database: LevelBackend
  private readonly folder: string

  private constructor(database: LevelBackend, folder: string, losses: Losses) {
    this.backend = new Stamped(database)
    this.database = database
    this.folder = folder
    this.losses = losses
  }

  /**
   * `scratch`: a folder that is not there yet. `damaged`: files of which losses are told; what the end of others lacks is
   * what nobody was told that it is there. Throws what LevelDB and the file system throw.
   */
  static async open(original: string, scratch: string, damaged: ReadonlySet<string>): Promise<Salvage> {
    let database: LevelBackend | undefined
    try {
      await mkdir(scratch)
      await linkLock(join(original, 'LOCK'), join(scratch, 'LOCK'))
      database = await LevelBackend.open(scratch, false)
      return new Salvage(database, scratch, await gather(original, database, dirname(scratch), damaged))
    } catch (error) {
      await database?.close()
      await rm(scratch, { recursive: true, force: true })
      throw error
    }
  }

  async close(): Promise<void> {
    await this.database.close()
    await rm(this.folder, { recursive: true })
  }
}

async function gather(
  original: string,
  database: LevelBackend,
  target: string,
  damaged: ReadonlySet<string>,
): Promise<Losses> {
  const tables: { file: string; gap: TableGap }[] = []
  const logs: { file: string; loss: LogLoss }[] = []
  const newest = new Newest(database, target)
  for (const file of await liveFiles(original)) {
    const bytes = await readWhatCan(join(original, file))
    const changes: Change[] = []
    const each = (change: Change): void => void changes.push(change)
    if (TABLE_PATTERN.test(file)) for (const gap of salvageTable(bytes, each)) tables.push({ file, gap })
    else for (const loss of salvageLog(bytes, each)) if (damaged.has(file)) logs.push({ file, loss })
    await newest.add(changes)
  }
  const lost: typeof logs = []
  for (const { file, loss } of logs) lost.push({ file, loss: { ...loss, changes: await newest.without(loss.changes) } })
  await newest.finish()
  return { tables, logs: lost }
}

/** Where the MANIFEST cannot be read, or files that it names are missing, every one may hold something. */
async function liveFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort()
  const version = await readVersion(folder, names)
  const tables = await liveTables(folder)
  const isLiveLog = (name: string): boolean => {
    if ('file' in version) return true
    return numberOfFile(name) >= version.logNumber || numberOfFile(name) === version.previousLogNumber
  }
  return names.filter(
    (name) =>
      (TABLE_PATTERN.test(name) && tables?.has(numberOfFile(name)) !== false) ||
      (LOG_PATTERN.test(name) && isLiveLog(name)),
  )
}

/** The file, with zeros where the disk cannot read it any more. */
async function readWhatCan(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error
  }
  const file = await open(path)
  try {
    const bytes = Buffer.alloc((await file.stat()).size)
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      await file.read(bytes, at, Math.min(SECTOR_BYTES, bytes.length - at), at).catch(() => undefined)
    }
    return bytes
  } finally {
    await file.close()
  }
}

/** Writes the newest change of each key, whatever the order in which they come. */
class Newest {
  private readonly database: LevelBackend
  private readonly folder: string

  constructor(database: LevelBackend, folder: string) {
    this.database = database
    this.folder = folder
  }

  async add(changes: readonly Change[]): Promise<void> {
    for (let from = 0; from < changes.length; ) {
      const page = new Map<string, Change>()
      let bytes = 0
      for (; from < changes.length && page.size < PAGE && bytes < PAGE_BYTES; from++) {
        const change = changes[from] as Change
        const name = change.key.toString('latin1')
        bytes += change.value?.length ?? 0
        if ((page.get(name)?.sequence ?? -1) < change.sequence) page.set(name, change)
      }
      await this.addPage([...page.values()])
    }
  }

  /** Those of the changes that no later one has made up for. */
  async without(changes: readonly Change[]): Promise<LostChange[]> {
    const found = await this.database.getMany(changes.map(({ key }) => key))
    const lost: LostChange[] = []
    for (const [i, change] of changes.entries()) {
      const there = found[i]
      if (there !== undefined && sequenceOf(there) > change.sequence) continue
      lost.push({ ...change, hasOlder: there !== undefined && there[STAMP_BYTES - 1] === PUT })
    }
    return lost
  }

  /** Keys that were deleted last are gone. */
  async finish(): Promise<void> {
    let from: Buffer = Buffer.alloc(0)
    for (;;) {
      const rows = await this.database.scan(from, END, PAGE)
      const last = rows.at(-1)
      if (last === undefined) return
      const batch = new Batch()
      for (const [key, value] of rows) if (value[STAMP_BYTES - 1] === DELETED) batch.del(key)
      await write(this.database, this.folder, batch)
      from = keyAfter(last[0])
    }
  }

  private async addPage(changes: readonly Change[]): Promise<void> {
    const found = await this.database.getMany(changes.map(({ key }) => key))
    const batch = new Batch()
    for (const [i, { key, value, sequence }] of changes.entries()) {
      const there = found[i]
      if (there !== undefined && sequenceOf(there) >= sequence) continue
      const stamped = Buffer.allocUnsafe(STAMP_BYTES + (value?.length ?? 0))
      stamped[0] = Math.floor(sequence / 2 ** 48)
      stamped.writeUIntBE(sequence % 2 ** 48, 1, 6)
      stamped[STAMP_BYTES - 1] = value === undefined ? DELETED : PUT
      value?.copy(stamped, STAMP_BYTES)
      batch.put(key, stamped)
    }
    await write(this.database, this.folder, batch)
  }
}

function sequenceOf(stamped: Buffer): number {
  return (stamped[0] ?? 0) * 2 ** 48 + stamped.readUIntBE(1, 6)
}

function write(database: LevelBackend, folder: string, batch: Batch): Promise<void> {
  if (batch.length === 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    database.write(batch, (error) => (error === undefined ? resolve() : reject(targetFailed(folder, error))))
  })
}

/** Reads values without their stamp. */
class Stamped implements Backend {
  private readonly database: LevelBackend

  constructor(database: LevelBackend) {
    this.database = database
  }

  write(): never {
    throw new Error('what was salvaged is only read')
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return (await this.database.get(key))?.subarray(STAMP_BYTES)
  }

  async getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return (await this.database.getMany(keys)).map((value) => value?.subarray(STAMP_BYTES))
  }

  async scan(from: Buffer, to: Buffer, limit: number, bytesMax?: number): Promise<[key: Buffer, value: Buffer][]> {
    const rows = await this.database.scan(from, to, limit, bytesMax)
    return rows.map(([key, value]) => [key, value.subarray(STAMP_BYTES)])
  }

  scanKeys(from: Buffer, to: Buffer, limit: number): Promise<Buffer[]> {
    return this.database.scanKeys(from, to, limit)
  }

  close(): Promise<void> {
    return this.database.close()
  }
}
