/** What the broker needs of a logger; pino's logger has this shape. */
export interface Log {
  error(fields: object, message: string): void
  warn(fields: object, message: string): void
  info(fields: object, message: string): void
  debug(fields: object, message: string): void
  isLevelEnabled(level: string): boolean
}

const nothing = (): void => {}

/** The library's default: a test wants no output it did not ask for. */
export const silentLog: Log = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  isLevelEnabled: () => false,
}
