/**
 * Memory that all connections together take for what their clients have not finished: bytes that a socket does not
 * take, packets of which a part has come, messages that wait for room, wills. Each of these has a limit of its own,
 * and with many connections only their sum says whether there is memory.
 */
export class ConnectionMemory {
  bytes = 0
  private readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get isFull(): boolean {
    return this.bytes >= this.bytesMax
  }

  /** Whether a holder may go from so many bytes to so many more. */
  hasRoomFor(growth: number): boolean {
    return growth <= 0 || this.bytes + growth <= this.bytesMax
  }

  /** One holder has `now` bytes where it had `before`. */
  change(before: number, now: number): void {
    this.bytes += now - before
  }
}
