import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url))

/** Whether this machine has strace and lets it trace. */
export const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

/** The built broker under strace, with a data folder that outlives it. */
export class TracedBroker {
  private readonly tracer: ChildProcess
  private readonly ending: Promise<unknown>
  private output = ''

  constructor(traceFlags: readonly string[], data: string, durability = 'fsync') {
    const flags = ['--mqtt-port', '0', '--http-port', '0', '--data', data, '--durability', durability]
    const command = ['-f', ...traceFlags, process.execPath, MAIN, 'start', ...flags]
    this.tracer = spawn('strace', command, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.tracer.stdout?.on('data', (chunk: Buffer) => (this.output += chunk))
    this.ending = once(this.tracer, 'close')
  }

  /** The port, as soon as all listeners are ready; undefined: the broker did not live to see it. */
  async port(): Promise<number | undefined> {
    const ended = this.ending.then(() => true)
    while (!this.output.includes('ws://')) {
      const data = once(this.tracer.stdout as NodeJS.EventEmitter, 'data').then(() => false)
      if ((await Promise.race([ended, data])) && !this.output.includes('ws://')) return undefined
    }
    return Number(/mqtt:\/\/127\.0\.0\.1:(\d+)/.exec(this.output)?.[1])
  }

  get isRunning(): boolean {
    return this.tracer.exitCode === null && this.tracer.signalCode === null
  }

  /** Signals the broker and not the tracer, which then writes everything and ends, too. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.isRunning) {
      const { pid } = this.tracer
      const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1').catch(() => '')
      const child = Number(children.trim().split(' ')[0])
      if (child > 0) signalUnlessGone(child, signal)
    }
    await this.ending
  }
}

// The tracer may have killed it between the look at its children and this.
function signalUnlessGone(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
