import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { openSocket } from '../../support/mosquitto-peer.ts'
import { Sluice } from '../broker-child.ts'
import type { Random } from './random.ts'
import { pause } from './stage.ts'
import type { World } from './world.ts'

// A start takes about as long.
const START_MS = 500
const CLOSE_MS = 30

/** The built broker in a process of its own, which is killed. */
export class ChildWorld implements World {
  readonly deniedTopic = '$SYS/denied'
  readonly deniedFilter = '$SYS/denied'
  kills = 0
  private readonly folder: string
  private readonly config: unknown
  private process: Sluice | undefined
  private port = 0
  private hasBegun = false

  private constructor(folder: string, config: unknown) {
    this.folder = folder
    this.config = config
  }

  get data(): string {
    return join(this.folder, 'data')
  }

  /** `config`: the settings of its first start; all later ones have to do with what is on disk. */
  static async create(config?: unknown): Promise<ChildWorld> {
    return new ChildWorld(await mkdtemp(join(tmpdir(), 'sluice-checker-')), config)
  }

  async start(): Promise<void> {
    const flags: string[] = []
    if (this.config !== undefined && !this.hasBegun) {
      const file = join(this.folder, 'first-start.yaml')
      await writeFile(file, JSON.stringify(this.config))
      flags.push('--config', file)
    }
    this.process = this.launch(...flags)
    this.port = await this.process.port()
    this.hasBegun = true
  }

  async failToStart(random: Random): Promise<void> {
    const starting = this.launch()
    await pause(random.below(START_MS))
    await starting.end('SIGKILL')
    this.kills++
  }

  open(): Promise<Duplex> {
    return openSocket(this.port)
  }

  async crash(random: Random): Promise<string> {
    const { process } = this
    if (process === undefined) return 'not running'
    const way = random.next()
    if (!process.isRunning) throw new Error(`the broker ended by itself: ${process.errors}`)
    if (way < 0.05) {
      const { code } = await process.end('SIGTERM')
      if (code !== 0) throw new Error(`the broker did not close: ${process.errors}`)
      return 'closed'
    }
    if (way < 0.25) {
      process.signal('SIGTERM')
      await pause(random.below(CLOSE_MS))
    }
    await process.end('SIGKILL')
    this.kills++
    return way < 0.25 ? 'killed while it closed' : 'killed'
  }

  async rows(): Promise<[key: Buffer, value: Buffer][]> {
    const encoding = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
    const level = new Level<Buffer, Buffer>(join(this.data, 'db'), { ...encoding, createIfMissing: false })
    await level.open()
    try {
      return await level.iterator().all()
    } finally {
      await level.close()
    }
  }

  async check(): Promise<string | undefined> {
    const { code, output, errors } = await new Sluice('store', 'check', '--data', this.data).ended()
    return code === 0 ? undefined : `sluice store check: ${output}${errors}`
  }

  async stop(): Promise<void> {
    await this.process?.end('SIGKILL')
    await rm(this.folder, { recursive: true })
  }

  private launch(...more: string[]): Sluice {
    const flags = ['--mqtt-port', '0', '--http-port', '0', '--data', this.data, '--log-level', 'warn', ...more]
    return new Sluice('start', ...flags)
  }
}
