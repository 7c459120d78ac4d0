import { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ConnectRate } from '../../../src/listener/connect-rate.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function socketFrom(address: string): Socket {
  return Object.defineProperty(new Socket(), 'remoteAddress', { value: address })
}

describe('the connect rate', () => {
  test('begins as many as it may at once, and the others in their turn', async () => {
    const clock = new FakeClock()
    let delayed = 0
    const rate = new ConnectRate(4, clock, () => delayed++)
    const started: number[] = []
    for (let index = 0; index < 7; index++) rate.admit(socketFrom('a'), () => started.push(index))
    expect([started, rate.waiting, delayed]).toEqual([[0, 1, 2, 3], 3, 3])
    await clock.advance(249)
    expect(started.length).toBe(4)
    await clock.advance(1)
    expect(started).toEqual([0, 1, 2, 3, 4])
    await clock.advance(500)
    expect([started, rate.waiting]).toEqual([[0, 1, 2, 3, 4, 5, 6], 0])
  })

  test('lets an address with few connections pass one with many', async () => {
    const clock = new FakeClock()
    const rate = new ConnectRate(1, clock)
    const started: string[] = []
    for (const from of ['many', 'many', 'many', 'many', 'few']) rate.admit(socketFrom(from), () => started.push(from))
    await clock.advance(2000)
    expect(started).toEqual(['many', 'many', 'few'])
  })

  test('begins two hundred in one turn at most, and goes on in the next, though the clock stands still', async () => {
    let delayed = 0
    const rate = new ConnectRate(10_000, new FakeClock(), () => delayed++)
    let started = 0
    for (let index = 0; index < 450; index++) rate.admit(socketFrom('a'), () => started++)
    expect([started, rate.waiting]).toEqual([200, 250])
    await nextTurn()
    expect(started).toBe(400)
    await nextTurn()
    expect([started, rate.waiting]).toEqual([450, 0])
    for (let index = 0; index < 200; index++) rate.admit(socketFrom('a'), () => started++)
    expect(started).toBe(600)
    await nextTurn()
    expect([started, delayed]).toEqual([650, 0])
  })

  test('forgets a connection that ends while it waits', async () => {
    const clock = new FakeClock()
    const rate = new ConnectRate(1, clock)
    const started: string[] = []
    rate.admit(socketFrom('a'), () => started.push('first'))
    const impatient = socketFrom('a')
    rate.admit(impatient, () => started.push('impatient'))
    rate.admit(socketFrom('b'), () => started.push('patient'))
    const closed = new Promise((resolve) => impatient.once('close', resolve))
    impatient.destroy(new Error('reset'))
    await closed
    expect(rate.waiting).toBe(1)
    await clock.advance(1000)
    expect(started).toEqual(['first', 'patient'])
    expect(impatient.listenerCount('close')).toBe(1)
  })
})
