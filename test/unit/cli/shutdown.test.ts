import { beforeEach, describe, expect, test } from 'vitest'
import { CLOSE_MS_MAX, closeOnSignal } from '../../../src/cli/shutdown.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'
import { FakeClock } from '../../support/fake-clock.ts'

describe('a signal', () => {
  let clock: FakeClock
  let exits: number[]
  let errors: string
  let send: Map<string, () => void>
  let closing: { promise: Promise<void>; resolve: () => void; reject: (reason: unknown) => void }
  let closes: number

  beforeEach(() => {
    clock = new FakeClock()
    exits = []
    errors = ''
    send = new Map()
    closes = 0
    let resolve = (): void => {}
    let reject: (reason: unknown) => void = () => {}
    const promise = new Promise<void>((done, failed) => {
      resolve = done
      reject = failed
    })
    closing = { promise, resolve, reject }
    const terminal: Terminal = {
      environment: {},
      isErrorTty: false,
      out: () => {},
      err: (text) => {
        errors += text
      },
      exit: (code) => void exits.push(code),
      onSignal: (signal, run) => void send.set(signal, run),
      onExit: () => {},
    }
    closeOnSignal(terminal, clock, () => {
      closes++
      return closing.promise
    })
  })

  test.each(['SIGINT', 'SIGTERM'])('%s closes and exits with 0 when all is closed', async (signal) => {
    send.get(signal)?.()
    expect([closes, exits]).toEqual([1, []])
    closing.resolve()
    await closing.promise
    await Promise.resolve()
    expect([exits, errors]).toEqual([[0], ''])
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('%s as the second one exits at once with %i', async (signal, code) => {
    send.get('SIGTERM')?.()
    await clock.advance(300)
    send.get(signal)?.()
    expect([closes, exits]).toEqual([1, [code]])
  })

  test('that comes twice within a moment, as under npm, counts once', async () => {
    send.get('SIGINT')?.()
    await clock.advance(100)
    send.get('SIGINT')?.()
    expect([closes, exits]).toEqual([1, []])
  })

  test('ends with exit code 1 and a line when closing takes too long', async () => {
    send.get('SIGTERM')?.()
    await clock.advance(CLOSE_MS_MAX - 1)
    expect(exits).toEqual([])
    await clock.advance(1)
    expect([exits, errors]).toEqual([[1], 'sluice: not closed after 5 seconds; ended without waiting longer\n'])
  })

  test('ends with exit code 1 and the reason when closing fails', async () => {
    send.get('SIGTERM')?.()
    closing.reject(new Error('the disk is gone'))
    await closing.promise.catch(() => {})
    await Promise.resolve()
    expect([exits, errors]).toEqual([[1], 'sluice: did not close properly: the disk is gone\n'])
  })
})
