import { PassThrough } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { ConnectionMemory } from '../../src/broker/connection-memory.ts'
import { StreamTransport } from '../../src/listener/stream-transport.ts'
import type { Transport } from '../../src/listener/transport.ts'
import { Flusher, Outbox } from '../../src/session/mqtt/outbox.ts'

/** Takes what it is told to take. */
class SlowTransport implements Transport {
  readonly conn = new PassThrough()
  readonly protocol = 'stream'
  readonly copies = true
  readonly request = undefined
  readonly remoteAddress = undefined
  readonly writes: Buffer[] = []
  pendingBytes = 0
  takes = false

  write(bytes: Buffer): void {
    this.writes.push(bytes)
    if (!this.takes) this.pendingBytes += bytes.length
  }

  writeMany(parts: readonly Buffer[]): void {
    for (const part of parts) this.write(part)
  }

  get text(): string {
    return Buffer.concat(this.writes).toString()
  }

  start(): void {}
  pause(): void {}
  resume(): void {}
  admit(): void {}
  end(): void {}
  destroy(): void {}
}

function build(): { transport: SlowTransport; outbox: Outbox; flusher: Flusher; memory: ConnectionMemory } {
  const transport = new SlowTransport()
  const flusher = new Flusher({ bytesSent: 0 })
  const memory = new ConnectionMemory(1_000_000)
  return {
    transport,
    flusher,
    memory,
    outbox: new Outbox(flusher, transport, 100_000, { blocked: () => {}, drained: () => {} }, memory),
  }
}

function append(outbox: Outbox, text: string): void {
  outbox.append(Buffer.from(text), 0, text.length)
}

test('a few bytes each turn for a socket that takes nothing fill one slab, not one each', () => {
  const { outbox, transport, flusher } = build()
  const takeSlab = vi.spyOn(flusher, 'takeSlab')
  let expected = ''
  for (let turn = 0; turn < 100; turn++) {
    append(outbox, `turn ${turn};`)
    expected += `turn ${turn};`
    outbox.flush()
  }
  expect(transport.text).toBe(expected)
  expect(takeSlab).toHaveBeenCalledTimes(1)
})

test('a slab is written again by others only when the kernel has taken at once what is in it', () => {
  const { outbox, transport, flusher } = build()
  const giveSlab = vi.spyOn(flusher, 'giveSlab')
  append(outbox, 'first')
  outbox.flush()
  append(outbox, 'second')
  outbox.flush()
  transport.pendingBytes = 0
  outbox.drained()
  expect(giveSlab).not.toHaveBeenCalled()
  transport.takes = true
  append(outbox, 'third')
  outbox.flush()
  expect(giveSlab).toHaveBeenCalledTimes(1)
  expect(transport.text).toBe('firstsecondthird')
})

test('what a socket does not take counts in the memory of all connections until it does, or closes', () => {
  const { outbox, transport, memory } = build()
  append(outbox, '12345')
  outbox.flush()
  expect(memory.bytes).toBe(5)
  append(outbox, '678')
  outbox.flush()
  expect(memory.bytes).toBe(8)
  transport.pendingBytes = 0
  outbox.drained()
  expect(memory.bytes).toBe(0)
  append(outbox, '9')
  outbox.flush()
  outbox.close()
  expect(memory.bytes).toBe(0)
})

test('what a stream has handed on by reference is not written over before it is read', async () => {
  const wire = new PassThrough()
  const transport = new StreamTransport(wire)
  const outbox = new Outbox(
    new Flusher({ bytesSent: 0 }),
    transport,
    100_000,
    { blocked: () => {}, drained: () => {} },
    new ConnectionMemory(1_000_000),
  )
  append(outbox, 'first')
  outbox.flush()
  append(outbox, 'again')
  outbox.flush()
  expect(String(wire.read())).toBe('firstagain')
  transport.destroy()
})
