import type { Clock } from '../base/clock.ts'
import type { Terminal } from './terminal.ts'

/** How long a regular end may take. */
export const CLOSE_MS_MAX = 5000

// Under `npm start` a Ctrl-C arrives twice: from the terminal and from npm, which passes its own on.
const SAME_SIGNAL_MS = 250

const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const

/**
 * Ends the process on SIGINT or SIGTERM: the first closes what `close` closes and exits with 0, a second one exits at
 * once with 128 plus its number. A close that takes longer than CLOSE_MS_MAX, or fails, exits with 1 and says so.
 */
export function closeOnSignal(terminal: Terminal, clock: Clock, close: () => Promise<void>): void {
  let firstAtMs: number | undefined
  const give = (text: string): void => {
    terminal.err(`sluice: ${text}\n`)
    terminal.exit(1)
  }
  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (firstAtMs !== undefined) {
      if (clock.now() - firstAtMs >= SAME_SIGNAL_MS) terminal.exit(128 + NUMBERS[signal])
      return
    }
    firstAtMs = clock.now()
    clock.after(CLOSE_MS_MAX, () =>
      give(`not closed after ${CLOSE_MS_MAX / 1000} seconds; ended without waiting longer`),
    )
    close().then(
      () => terminal.exit(0),
      (error: unknown) => give(`did not close properly: ${error instanceof Error ? error.message : String(error)}`),
    )
  }
  terminal.onSignal('SIGINT', () => onSignal('SIGINT'))
  terminal.onSignal('SIGTERM', () => onSignal('SIGTERM'))
}
