import type { Block } from './block.ts'

/** `leftover`: a crash can leave it, and the next start deletes it. */
export interface Verdict {
  readonly state: 'good' | 'leftover' | 'damaged'
  readonly kind: string
  readonly why: string
  /** How many things the key stands for, of this state and of those that are good; 1 and 0 unless said. */
  readonly count?: number
  readonly goodCount?: number
  /** Damaged only because the head of this FIFO is: it can be made again. */
  readonly headless?: number
  /** Of this FIFO, which nobody uses although nothing says that it was deleted. */
  readonly ownerless?: number
  /** What can be saved of a damaged block; of its data, that it can be. */
  readonly saved?: Block
}

export const good = (kind: string): Verdict => ({ state: 'good', kind, why: '' })
export const leftover = (kind: string, why: string): Verdict => ({ state: 'leftover', kind, why })
export const damaged = (kind: string, why: string): Verdict => ({ state: 'damaged', kind, why })
