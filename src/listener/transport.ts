import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** What a connection gets to know of its bytes. None of these may throw. */
export interface TransportHandler {
  /** Bytes as they came; where they were cut means nothing. The chunk may be kept. */
  data(chunk: Buffer): void
  /** Everything written has been handed to the kernel, after a write that left `pendingBytes` above 0. */
  drained(): void
  /** The last call, exactly once; with the error when it was not a regular end. Whoever gets it calls end(). */
  closed(error: Error | undefined): void
}

export type TransportProtocol = 'mqtt' | 'mqtts' | 'ws' | 'wss' | 'stream'

/** One client's bytes in both directions, whatever carries them. */
export interface Transport {
  /** What hooks see as `client.conn`: the socket itself, for WebSocket the one underneath. */
  readonly conn: Duplex
  readonly protocol: TransportProtocol
  /** The request that became this WebSocket, for hooks that look at its headers. */
  readonly request: IncomingMessage | undefined
  readonly remoteAddress: string | undefined
  /** Whether nobody looks at written bytes any more once `pendingBytes` is 0: the kernel has a copy of its own. */
  readonly copies: boolean
  /** Bytes accepted by write() that the kernel has not taken yet. */
  readonly pendingBytes: number
  /** Begins to read. Called once, in the turn in which the transport was handed over. */
  start(handler: TransportHandler): void
  /** The buffer belongs to the transport until it is written. Ignored after end() and destroy(). */
  write(bytes: Buffer): void
  /** The same for several buffers in one system call or one WebSocket message. */
  writeMany(parts: readonly Buffer[]): void
  /** Stops reading, so that the peer's own flow control holds it back. */
  pause(): void
  resume(): void
  /** The client's CONNECT is accepted: from here on it may send in messages as large as its packets may be. */
  admit(): void
  /** Writes what is pending, then closes; nothing more is read. A peer that does not answer is destroyed. */
  end(): void
  destroy(error?: Error): void
}

/** How long end() waits for the peer before it destroys. */
export const END_GRACE_MS = 1000
