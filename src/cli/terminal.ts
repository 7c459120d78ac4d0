/** What a command uses of the process, so that a test can stand in for it. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly isErrorTty: boolean
  /** Width of what `out` writes to; undefined: it is no terminal. */
  readonly columns?: number | undefined
  out(text: string): void
  err(text: string): void
  /** Ends the process at once. */
  exit(code: number): void
  onSignal(signal: 'SIGINT' | 'SIGTERM', run: () => void): void
  /** Calls `run` as the last thing, however the process ends by itself. */
  onExit(run: () => void): void
}

// Nobody reads any more (`sluice start | head -1`): the broker goes on.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

export const processTerminal: Terminal = {
  environment: process.env,
  isErrorTty: process.stderr.isTTY === true,
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  exit: (code) => process.exit(code),
  onSignal: (signal, run) => void process.on(signal, run),
  onExit: (run) => void process.on('exit', run),
}
