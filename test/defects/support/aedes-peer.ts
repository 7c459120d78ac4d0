import { createRequire } from 'node:module'
import { Aedes } from 'aedes'
import { Level } from 'level'
import type { AnyBroker, Needs, Running } from './broker.ts'

// Their declarations do not fit what they export.
const require = createRequire(import.meta.url)
const memory = require('aedes-persistence') as () => unknown
const onLevel = require('aedes-persistence-level') as (database: Level<string, Buffer>) => unknown

export async function startAedes(needs: Needs, folder: string | undefined): Promise<Running> {
  const database = folder === undefined ? undefined : new Level<string, Buffer>(folder, { valueEncoding: 'binary' })
  const persistence = database === undefined ? memory() : onLevel(database)
  const broker = (await Aedes.createBroker({ ...needs.aedes, persistence })) as AnyBroker
  return {
    broker,
    async close() {
      await new Promise<void>((resolve) => broker.close(() => resolve()))
      await database?.close()
    },
  }
}
