import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const programs = {
  thermostat: '../../devices/thermostat/thermostat.mjs',
  'gps-tracker': '../../devices/gps-tracker/gps-tracker.mjs',
}

/** One of the boards of `devices/` in a process of its own. */
export class Board {
  readonly output: string[] = []
  readonly errors: string[] = []
  #child: ChildProcess
  #exit: Promise<number | null>
  #watchers = new Set<() => void>()

  constructor(name: keyof typeof programs, ...args: string[]) {
    this.#child = spawn(process.execPath, [fileURLToPath(new URL(programs[name], import.meta.url)), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#collect(this.#child.stdout, this.output)
    this.#collect(this.#child.stderr, this.errors)
    this.#exit = once(this.#child, 'close').then(([code]) => code as number | null)
  }

  exitCode(): Promise<number | null> {
    return this.#exit
  }

  /** The first line of the output that contains the text, also one that came before. */
  async line(text: string): Promise<string> {
    for (;;) {
      const found = this.output.find((line) => line.includes(text))
      if (found !== undefined) return found
      const ended = await Promise.race([this.#exit.then(() => true), this.#nextLine().then(() => false)])
      if (ended && !this.output.some((line) => line.includes(text))) {
        throw new Error(`no line '${text}' in: ${[...this.output, ...this.errors].join(' | ')}`)
      }
    }
  }

  interrupt(): void {
    this.#child.kill('SIGINT')
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #collect(stream: NodeJS.ReadableStream | null, lines: string[]): void {
    if (!stream) return
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      for (const seen of this.#watchers) seen()
      this.#watchers.clear()
    })
  }

  #nextLine(): Promise<void> {
    return new Promise((resolve) => this.#watchers.add(resolve))
  }
}
