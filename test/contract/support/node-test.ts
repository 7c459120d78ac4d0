import assert from 'node:assert'
import { expect, test } from 'vitest'

type Assert = typeof assert & ((value: unknown, message?: string) => void)

/** What the contract suites of aedes use of node:test's context. */
interface Context {
  readonly assert: Assert
  plan(count: number): void
  fail(message?: string): never
  diagnostic(message: string): void
}

/** node:test's `test` on vitest: assertions are counted, and a plan that is not met fails the case. */
export function nodeTest(name: string, run: (context: Context) => Promise<void>): void {
  test(name, async () => {
    let planned: number | undefined
    let asserted = 0
    // What is thrown in a callback may be caught by the part under test.
    const failures: unknown[] = []
    const fail = (error: unknown): never => {
      failures.push(error)
      throw error
    }
    const counted = new Proxy(assert, {
      get(target, key) {
        const method = Reflect.get(target, key) as (...values: unknown[]) => unknown
        return (...values: unknown[]) => {
          asserted++
          try {
            return method(...values)
          } catch (error) {
            return fail(error)
          }
        }
      },
    }) as Assert
    await run({
      assert: counted,
      plan(count) {
        planned = count
      },
      fail: (message) => fail(new Error(message ?? 'the case called fail')),
      diagnostic() {},
    })
    expect(failures).toEqual([])
    expect(asserted).toBe(planned ?? asserted)
  })
}
