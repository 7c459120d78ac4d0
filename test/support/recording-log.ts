import type { Log } from '../../src/base/log.ts'

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug'
  readonly text: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Keeps what the broker logs, from `info` on. */
export class RecordingLog implements Log {
  readonly lines: LogLine[] = []

  isLevelEnabled(level: string): boolean {
    return level !== 'debug'
  }

  error(fields: object, text: string): void {
    this.lines.push({ level: 'error', text, fields: { ...fields } })
  }

  warn(fields: object, text: string): void {
    this.lines.push({ level: 'warn', text, fields: { ...fields } })
  }

  info(fields: object, text: string): void {
    this.lines.push({ level: 'info', text, fields: { ...fields } })
  }

  debug(): void {}

  /** Lines about one client. */
  about(clientId: string): LogLine[] {
    return this.lines.filter(({ fields }) => fields['clientId'] === clientId)
  }
}
