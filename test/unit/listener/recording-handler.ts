import type { TransportHandler } from '../../../src/listener/transport.ts'

/** Keeps what a transport tells, and lets a test wait for it. */
export class RecordingHandler implements TransportHandler {
  readonly closing: Promise<Error | undefined>
  text = ''
  bytes = 0
  drains = 0
  closes = 0
  private resolveClosing: (error: Error | undefined) => void = () => {}
  private waiting: { bytes: number; resolve: () => void } | undefined
  private resolveDrain: () => void = () => {}

  constructor() {
    this.closing = new Promise((resolve) => {
      this.resolveClosing = resolve
    })
  }

  received(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.waiting = { bytes, resolve }
      this.check()
    })
  }

  nextDrain(): Promise<void> {
    return new Promise((resolve) => {
      this.resolveDrain = resolve
    })
  }

  data(chunk: Buffer): void {
    this.text += chunk.toString('latin1')
    this.bytes += chunk.length
    this.check()
  }

  drained(): void {
    this.drains++
    this.resolveDrain()
  }

  closed(error: Error | undefined): void {
    this.closes++
    this.resolveClosing(error)
  }

  private check(): void {
    if (this.waiting !== undefined && this.bytes >= this.waiting.bytes) this.waiting.resolve()
  }
}
