import type { Backend } from '../../../src/store/backend.ts'
import { Batch } from '../../../src/store/batch.ts'
import { MemoryBackend } from '../../../src/store/memory/memory-backend.ts'

/** A disk whose writes take until the test says so, and fail when the test says so. */
export class HeldBackend extends MemoryBackend implements Backend {
  readonly writes: Batch[] = []
  /** Writes go through at once while false. */
  held = false
  /** The next writes fail with these, in turn. */
  readonly failures: Error[] = []
  private waiting: (() => void) | undefined

  override write(batch: Batch, done: (error: Error | undefined) => void): void {
    const copy = new Batch()
    for (const [i, key] of batch.keys.entries()) {
      const value = batch.values[i]
      if (value === undefined) copy.del(key)
      else copy.put(key, value)
    }
    const finish = (): void => {
      const failure = this.failures.shift()
      if (failure !== undefined) {
        process.nextTick(done, failure)
        return
      }
      this.writes.push(copy)
      super.write(copy, done)
    }
    if (this.held) this.waiting = finish
    else finish()
  }

  get isWaiting(): boolean {
    return this.waiting !== undefined
  }

  /** Lets the write that waits go through. */
  complete(): void {
    const finish = this.waiting
    this.waiting = undefined
    finish?.()
  }
}

/** One turn of the event loop: what was scheduled with setImmediate before has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Turns until the condition holds; a test that waits forever fails by its time limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn()
}
