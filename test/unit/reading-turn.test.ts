import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ReadingTurn } from '../../src/session/mqtt/reading-turn.ts'

const TURN_MS = 50
const EACH_MS = 20

/** Connections of which each takes 20 ms to read; answers which were read, in order. */
function readers() {
  let nowMs = 0
  const read: string[] = []
  const turn = new ReadingTurn(() => nowMs)
  const release = (name: string): void => {
    read.push(name)
    nowMs += EACH_MS
  }
  const receive = (name: string): void => {
    if (turn.admits(nowMs)) release(name)
    else turn.postpone({ release: () => release(name) })
  }
  return { read, receive, wait: () => (nowMs += TURN_MS) }
}

describe('the reading of one turn', () => {
  test('ends after 50 ms, and goes on in the next turns where it ended', async () => {
    const { read, receive } = readers()
    for (const name of 'abcdefgh') receive(name)
    expect(read.join('')).toBe('abc')
    await nextTurn()
    expect(read.join('')).toBe('abcdef')
    // What has come earlier goes first.
    receive('i')
    await nextTurn()
    expect(read.join('')).toBe('abcdefghi')
  })

  test('begins anew with each turn', async () => {
    const { read, receive, wait } = readers()
    receive('a')
    wait()
    receive('b')
    expect(read).toEqual(['a'])
    await nextTurn()
    await nextTurn()
    receive('c')
    expect(read).toEqual(['a', 'b', 'c'])
  })
})
