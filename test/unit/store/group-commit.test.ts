import { describe, expect, test } from 'vitest'
import type { Batch } from '../../../src/store/batch.ts'
import { GroupCommit } from '../../../src/store/group-commit.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { HeldBackend, turn } from './held-backend.ts'

const bytes = (text: string): Buffer => Buffer.from(text)

function commitOver(backend = new HeldBackend()): { backend: HeldBackend; clock: FakeClock; commit: GroupCommit } {
  const clock = new FakeClock()
  return { backend, clock, commit: new GroupCommit(backend, clock) }
}

function told(commit: GroupCommit): number[] {
  const epochs: number[] = []
  commit.wait({ committed: (epoch) => epochs.push(epoch) })
  return epochs
}

describe('a group commit', () => {
  test('writes the changes of one turn as one batch, in their order', async () => {
    const { backend, commit } = commitOver()
    commit.put(bytes('a'), bytes('1'))
    commit.del(bytes('b'))
    commit.put(bytes('a'), bytes('2'))
    await commit.flush()
    expect(backend.writes.map((batch) => batch.keys.map(String))).toEqual([['a', 'b', 'a']])
    expect(backend.writes[0]?.values.map((value) => value?.toString())).toEqual(['1', undefined, '2'])
    expect(await backend.get(bytes('a'))).toEqual(bytes('2'))
  })

  test('starts with epoch 1 and tells a waiter the epoch that was forming', async () => {
    const { commit } = commitOver()
    expect([commit.formingEpoch, commit.committedEpoch]).toEqual([1, 0])
    commit.put(bytes('a'), bytes('1'))
    const epochs = told(commit)
    await commit.flush()
    expect(epochs).toEqual([1])
    expect([commit.formingEpoch, commit.committedEpoch]).toEqual([2, 1])
  })

  test('tells no waiter before the write has returned', async () => {
    const { backend, commit } = commitOver()
    backend.held = true
    commit.put(bytes('a'), bytes('1'))
    const epochs = told(commit)
    await turn()
    await turn()
    expect(backend.isWaiting).toBe(true)
    expect(epochs).toEqual([])
    backend.complete()
    await turn()
    expect(epochs).toEqual([1])
  })

  test('asks a participant once, behind the direct changes', async () => {
    const { backend, commit } = commitOver()
    let asked = 0
    commit.mark({
      writeTo(batch: Batch) {
        asked++
        batch.put(bytes('participant'), bytes('1'))
      },
    })
    commit.put(bytes('direct'), bytes('1'))
    await commit.flush()
    await commit.flush()
    expect(asked).toBe(1)
    expect(backend.writes[0]?.keys.map(String)).toEqual(['direct', 'participant'])
  })

  test('tells five hundred waiters in one turn at most, in order, over several commits', async () => {
    const { commit } = commitOver()
    const order: number[] = []
    const wait = (number: number): void => commit.wait({ committed: () => order.push(number) })
    for (let number = 0; number < 1_200; number++) wait(number)
    await turn()
    expect([commit.committedEpoch, order.length]).toEqual([1, 500])
    wait(1_200)
    await turn()
    expect(order.length).toBe(1_000)
    await turn()
    expect(order).toEqual(Array.from({ length: 1_201 }, (_, number) => number))
  })

  test('closes when all waiters have been told', async () => {
    const { commit } = commitOver()
    let count = 0
    for (let number = 0; number < 1_200; number++) commit.wait({ committed: () => count++ })
    await commit.close()
    expect(count).toBe(1_200)
  })

  test('does not touch the disk when everything was elided, and tells the waiters', async () => {
    const { backend, commit } = commitOver()
    commit.mark({ writeTo: () => {} })
    const epochs = told(commit)
    await turn()
    expect(epochs).toEqual([1])
    expect(backend.writes).toEqual([])
  })

  test('gathers everything that changes during a write, and forms it a turn after the write has returned', async () => {
    const { backend, commit } = commitOver()
    backend.held = true
    commit.put(bytes('a'), bytes('1'))
    await turn()
    commit.put(bytes('b'), bytes('1'))
    await turn()
    let acknowledged = false
    commit.mark({ writeTo: (batch) => (acknowledged ? undefined : batch.put(bytes('c'), bytes('1'))) })
    commit.wait({ committed: () => {} })
    backend.complete()
    await new Promise((resolve) => process.nextTick(resolve))
    acknowledged = true
    await turn()
    backend.complete()
    await turn()
    expect(backend.writes.map((batch) => batch.keys.map(String))).toEqual([['a'], ['b']])
  })

  test('cuts a batch after 20,000 changes, at the end of the turn', async () => {
    const { backend, commit } = commitOver()
    backend.held = true
    commit.put(bytes('first'), bytes('1'))
    await turn()
    for (let i = 0; i < 20_001; i++) commit.put(bytes(`a${i}`), bytes('1'))
    await turn()
    commit.put(bytes('last'), bytes('1'))
    const epochs = told(commit)
    backend.held = false
    backend.complete()
    await commit.flush()
    expect(backend.writes.map((batch) => batch.length)).toEqual([1, 20_001, 1])
    expect(epochs).toEqual([3])
  })

  test('cuts a batch after 8 MiB, counting what participants announce', async () => {
    const { backend, commit } = commitOver()
    backend.held = true
    commit.put(bytes('first'), bytes('1'))
    await turn()
    commit.mark({ writeTo: (batch) => batch.put(bytes('large'), bytes('1')) }, 8 * 1024 * 1024)
    await turn()
    commit.put(bytes('last'), bytes('1'))
    backend.held = false
    backend.complete()
    await commit.flush()
    expect(backend.writes.map((batch) => batch.keys.map(String))).toEqual([['first'], ['large'], ['last']])
  })

  test('does not cut below the limits, however many turns a write takes', async () => {
    const { backend, commit } = commitOver()
    backend.held = true
    commit.put(bytes('first'), bytes('1'))
    for (let i = 0; i < 10; i++) {
      await turn()
      commit.put(bytes(`${i}`), bytes('1'))
    }
    backend.held = false
    backend.complete()
    await commit.flush()
    expect(backend.writes.map((batch) => batch.length)).toEqual([1, 10])
  })
})

describe('a group commit whose writes fail', () => {
  const full = new Error('no space left on device')

  test('writes the same batch again, later and later, and acknowledges nothing until it succeeds', async () => {
    const { backend, clock, commit } = commitOver()
    const events: string[] = []
    commit.onFailure = (error) => events.push(error.message)
    commit.onRecovery = () => events.push('recovered')
    backend.failures.push(full, full, full)
    commit.put(bytes('a'), bytes('1'))
    const epochs = told(commit)
    await turn()
    await turn()
    expect(commit.failure).toBe(full)
    await clock.advance(100)
    await clock.advance(199)
    expect(backend.failures.length).toBe(1)
    await clock.advance(1)
    expect(epochs).toEqual([])
    expect(backend.failures.length).toBe(0)
    await clock.advance(400)
    expect(epochs).toEqual([1])
    expect(commit.failure).toBeUndefined()
    expect(events).toEqual([full.message, 'recovered'])
    expect(await backend.get(bytes('a'))).toEqual(bytes('1'))
  })

  test('waits 5 seconds at most between two attempts', async () => {
    const { backend, clock, commit } = commitOver()
    backend.failures.push(...Array.from({ length: 12 }, () => full))
    commit.put(bytes('a'), bytes('1'))
    await turn()
    await turn()
    await clock.advance(100 + 200 + 400 + 800 + 1600 + 3200)
    expect(backend.failures.length).toBe(5)
    await clock.advance(4_999)
    expect(backend.failures.length).toBe(5)
    await clock.advance(1)
    expect(backend.failures.length).toBe(4)
  })

  test('keeps later changes for the epochs that follow', async () => {
    const { backend, clock, commit } = commitOver()
    backend.failures.push(full)
    commit.put(bytes('a'), bytes('1'))
    await turn()
    await turn()
    commit.put(bytes('a'), bytes('2'))
    const epochs = told(commit)
    await turn()
    expect(epochs).toEqual([])
    await clock.advance(100)
    await commit.flush()
    expect(epochs).toEqual([2])
    expect(backend.writes.length).toBe(2)
  })
})

describe('closing a group commit', () => {
  test('commits what is pending', async () => {
    const { backend, commit } = commitOver()
    commit.put(bytes('a'), bytes('1'))
    const epochs = told(commit)
    await commit.close()
    expect(epochs).toEqual([1])
    expect(backend.writes.length).toBe(1)
  })

  test('waits for the write under way and what came after it', async () => {
    const { backend, commit } = commitOver()
    backend.held = true
    commit.put(bytes('a'), bytes('1'))
    await turn()
    commit.put(bytes('b'), bytes('1'))
    const closed = commit.close()
    await turn()
    backend.held = false
    backend.complete()
    await closed
    expect(backend.writes.length).toBe(2)
  })

  test('tries once more while writing fails', async () => {
    const { backend, commit } = commitOver()
    backend.failures.push(new Error('busy'))
    commit.put(bytes('a'), bytes('1'))
    await turn()
    await turn()
    expect(commit.failure).toBeDefined()
    await commit.close()
    expect(backend.writes.length).toBe(1)
  })

  test('says so when the last changes cannot be written', async () => {
    const { backend, commit } = commitOver()
    backend.failures.push(new Error('no space left on device'), new Error('no space left on device'))
    commit.put(bytes('a'), bytes('1'))
    await expect(commit.close()).rejects.toMatchObject({
      code: 'STORE_CLOSE_FAILED',
      message: expect.stringContaining('no space left on device'),
    })
  })

  test('is at once done when nothing is pending', async () => {
    const { backend, commit } = commitOver()
    await commit.close()
    expect(backend.writes).toEqual([])
  })
})
