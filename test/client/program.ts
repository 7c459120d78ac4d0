import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface Finished {
  readonly code: number | null
  readonly output: string[]
  readonly errors: string[]
}

/**
 * Whether a real client is there to be tested with: whether this command ends, and with which exit code. Where it is
 * missing its tests are skipped, except in CI, where nobody would read that.
 */
export function isInstalled(name: string, command: string, args: readonly string[], code = 0): boolean {
  const { status } = spawnSync(command, args, { stdio: 'ignore', timeout: 30_000 })
  if (status === code) return true
  if (process.env['CI']) throw new Error(`${name} is not installed: without it CI would test less than it says`)
  console.warn(`skipped: ${name} is not installed (tried: ${[command, ...args].join(' ')})`)
  return false
}

/** A client in a process of its own, with what it has written line by line. */
export class Program {
  readonly output: string[] = []
  readonly errors: string[] = []
  private readonly child: ChildProcess
  private readonly ending: Promise<Finished>
  private readonly watchers = new Set<() => void>()

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.collect(this.child.stdout, this.output)
    this.collect(this.child.stderr, this.errors)
    this.ending = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      output: this.output,
      errors: this.errors,
    }))
  }

  finished(): Promise<Finished> {
    return this.ending
  }

  /** Waits for a line with this text; throws when the program ends before it. */
  async line(text: string, lines: string[] = this.output): Promise<string> {
    for (;;) {
      const found = lines.find((line) => line.includes(text))
      if (found !== undefined) return found
      const next = new Promise<false>((resolve) => this.watchers.add(() => resolve(false)))
      const ended = await Promise.race([this.ending.then(() => true), next])
      if (ended && !lines.some((line) => line.includes(text))) {
        throw new Error(`no line '${text}' in: ${[...this.output, ...this.errors].join(' | ')}`)
      }
    }
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
  }

  private collect(stream: NodeJS.ReadableStream | null, lines: string[]): void {
    if (stream === null) return
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      for (const seen of this.watchers) seen()
      this.watchers.clear()
    })
  }
}
