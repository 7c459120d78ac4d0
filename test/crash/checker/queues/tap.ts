import type { AnswerKind, Given } from './ledger.ts'

/** A message that a consumer was given, to be answered once. */
export interface Taken {
  readonly given: Given
  answer(kind: AnswerKind): void
  readonly canReject: boolean
  /** Ready again at once; undefined: this way of consuming does not know it. */
  readonly giveBack: (() => void) | undefined
}

/** One consumer of one queue, as long as it lasts. */
export interface Line {
  /** False: nothing that comes of it, and nothing that is said on it, means anything any more. */
  readonly isOpen: boolean
  /** True: everything that was answered on this line before is on disk. */
  commit(): Promise<boolean>
  /** The consumer is gone, with whatever it has not answered. */
  close(): void
}

/** A way to consume. */
export interface Tap {
  /** Throws ConnectionLost. */
  open(queue: string, take: (taken: Taken) => void): Promise<Line>
}
