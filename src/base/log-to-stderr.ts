import { pino } from 'pino'
import type { Log } from './log.ts'

/** pino's logger, and a way to see its last lines before the process ends. */
export interface ProcessLog {
  readonly log: Log
  /** Writes what is still waiting; for the way out of the process. */
  readonly flush: () => void
}

const STDERR = 2

/**
 * Logs to standard error: JSON lines, or lines for a person when `readable`. Lines are written while the event loop
 * goes on, so that a slow terminal holds up nobody; at 1 MiB waiting, further lines are dropped.
 */
export function logToStderr(level: string, readable: boolean): ProcessLog {
  const destination = pino.destination({ fd: STDERR, sync: false, maxLength: 1024 * 1024 })
  // Nobody reads any more (`sluice start 2>&1 | head`): the broker goes on without its log.
  destination.on('error', () => {})
  const stream = readable ? { write: (line: string) => destination.write(readableLine(line)) } : destination
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream)
  return {
    log,
    flush() {
      try {
        destination.flushSync()
      } catch {
        // Standard error is gone; there is nobody to tell.
      }
    },
  }
}

const LEVELS = new Map<unknown, string>([
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
])

/** One JSON line of pino as a person reads it: `12:30:01.250 warn  message  key=value`. */
export function readableLine(line: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>
  const clock = typeof time === 'string' ? time.slice(11, 23) : ''
  const words = [clock, (LEVELS.get(level) ?? String(level)).padEnd(5), typeof msg === 'string' ? msg : '']
  for (const [key, value] of Object.entries(fields)) {
    words.push(`${key}=${typeof value === 'string' && /^[\w./:@$+#-]+$/.test(value) ? value : JSON.stringify(value)}`)
  }
  const stack = (err as { stack?: unknown } | undefined)?.stack
  return `${words.join(' ')}\n${typeof stack === 'string' ? `${stack}\n` : ''}`
}
