import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ProtocolVersion } from '../../src/wire/mqtt/packet.ts'
import { lasting } from '../support/flow.ts'
import { openSocket } from '../support/mosquitto-peer.ts'
import { RawClient } from '../support/raw-client.ts'
import type { ConnectOptions } from '../support/wire-writer.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`)

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
  readonly errors: string
}

/** `sluice` with these arguments, in a process of its own. */
export class Sluice {
  output = ''
  errors = ''
  private readonly child: ChildProcess
  private readonly ending: Promise<Ended>

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk))
    this.child.stderr?.on('data', (chunk: Buffer) => (this.errors += chunk))
    this.ending = once(this.child, 'close').then(([code, signal]) => {
      const { output, errors } = this
      return { code, signal, output, errors } as Ended
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** The port of the MQTT listener, as soon as all listeners are ready. */
  async port(): Promise<number> {
    const ended = this.ending.then(() => true)
    while (!this.output.includes('listening ws://')) {
      const gone = await Promise.race([ended, once(this.child.stdout as NodeJS.EventEmitter, 'data').then(() => false)])
      if (gone) throw new Error(`the broker ended before it listened: ${this.errors}`)
    }
    return Number(/listening mqtt:\/\/127\.0\.0\.1:(\d+)/.exec(this.output)?.[1])
  }

  /** Waits until this text is on standard error. */
  async error(text: string): Promise<void> {
    while (!this.errors.includes(text)) await once(this.child.stderr as NodeJS.EventEmitter, 'data')
  }

  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ended> {
    this.signal(signal)
    return this.ending
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.child.kill(signal)
  }

  ended(): Promise<Ended> {
    return this.ending
  }
}

/** A broker in its own process with a data folder that outlives it. */
export class ChildBroker {
  readonly folder: string
  process: Sluice
  port = 0
  private readonly flags: string[]
  private readonly clients: RawClient[] = []

  private constructor(folder: string, flags: string[]) {
    this.folder = folder
    this.flags = flags
    this.process = this.launch()
  }

  static async start(...flags: string[]): Promise<ChildBroker> {
    const broker = new ChildBroker(await mkdtemp(join(tmpdir(), 'sluice-crash-')), flags)
    broker.port = await broker.process.port()
    return broker
  }

  async open(version: ProtocolVersion = 4): Promise<RawClient> {
    const client = new RawClient(await openSocket(this.port), version)
    this.clients.push(client)
    return client
  }

  async connect(options: ConnectOptions = {}): Promise<RawClient> {
    const client = await this.open(options.version ?? 4)
    client.sendConnect(options)
    await client.expect('connack', { reasonCode: 0 })
    return client
  }

  /** Connects with a session that outlives the connection; `seconds` is how long in version 5. */
  async resume(
    options: ConnectOptions & { clientId: string },
    seconds = 3600,
  ): Promise<{ client: RawClient; present: boolean }> {
    const client = await this.open(options.version ?? 4)
    client.sendConnect(lasting(options, seconds))
    const { sessionPresent } = await client.expect('connack', { reasonCode: 0 })
    return { client, present: sessionPresent }
  }

  async kill(): Promise<void> {
    await this.process.end('SIGKILL')
  }

  async restart(): Promise<void> {
    this.process = this.launch()
    this.port = await this.process.port()
  }

  async killAndRestart(): Promise<void> {
    await this.kill()
    await this.restart()
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.drop()
    await this.process.end('SIGKILL')
    await rm(this.folder, { recursive: true })
  }

  private launch(): Sluice {
    return new Sluice('start', '--mqtt-port', '0', '--http-port', '0', '--data', this.folder, ...this.flags)
  }
}
