export interface FifoOptions {
  /** False: nothing is ever stored, all of it is in memory. Always so in a store of durability `memory`. */
  readonly durable: boolean
  /** Entries at most, those handed out included. */
  readonly messagesMax: number
  /** Bytes at most (topic, properties, payload and 64 for each entry), those handed out included. */
  readonly bytesMax: number
  /** About how many bytes of ready entries stay in memory; the rest waits on disk. */
  readonly windowBytes: number
}
