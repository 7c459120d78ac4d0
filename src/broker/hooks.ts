import type { Clock } from '../base/clock.ts'

/**
 * Calls a hook of aedes' callback kind so that whatever it does concerns one client only: an exception becomes an
 * error, a second answer is ignored, and no answer in time is an error too.
 *
 * `answer` runs synchronously when the hook answers so; the return value says whether it did.
 */
export function callHook<T>(
  clock: Clock,
  timeoutMs: number,
  name: string,
  hook: (callback: (error?: Error | null, value?: T) => void) => void,
  answer: (error: Error | null, value: T | undefined) => void,
): boolean {
  let answered = false
  let timer: unknown
  const once = (error?: Error | null, value?: T): void => {
    if (answered) return
    answered = true
    if (timer !== undefined) clock.clear(timer)
    answer(error ?? null, value)
  }
  try {
    // An async function is a hook too: what it rejects with must not become an unhandled rejection.
    const returned = hook(once) as unknown
    if (returned instanceof Promise) returned.catch((error: unknown) => once(new HookFailure(name, error)))
  } catch (error) {
    once(new HookFailure(name, error))
  }
  if (answered) return true
  timer = clock.after(timeoutMs, () => {
    once(new HookFailure(name, new Error(`it gave no answer within ${timeoutMs / 1000} s`)))
  })
  return false
}

/**
 * A hook threw, rejected or did not call back in time. The message may reach the client; what went wrong inside the
 * hook is in `cause`, for the log alone.
 */
export class HookFailure extends Error {
  constructor(name: string, cause: unknown) {
    super(`the ${name} hook failed`, { cause })
    this.name = 'HookFailure'
  }

  get reason(): string {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}
