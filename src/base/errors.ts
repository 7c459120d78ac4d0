/**
 * A fault that a person reads: one sentence that says what is wrong, where, and what to do.
 * `code` is stable and never changes with the wording; `exitCode` is what the process answers.
 */
export class SluiceError extends Error {
  readonly code: string
  readonly exitCode: number

  constructor(code: string, message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SluiceError'
    this.code = code
    this.exitCode = options.exitCode ?? 1
  }
}

/** A wrong flag, a wrong key in the config file: the user has to change the command. Exit code 2. */
export class UsageError extends SluiceError {
  constructor(code: string, message: string, cause?: unknown) {
    super(code, message, { exitCode: 2, cause })
    this.name = 'UsageError'
  }
}
