import { entrySeq, KIND_BLOCK, KIND_BLOCK_DATA, KIND_BODY, KIND_HEAD, numberOfKey } from './keys.ts'

/** What a person calls a record. `kinds`: names of the kinds that the store itself does not know. */
export function nameOfRecord(key: Buffer, kinds: ReadonlyMap<number, { readonly name: string }>): string {
  const kind = key[0] ?? 0
  try {
    if (kind === KIND_HEAD) return `the head of queue ${numberOfKey(key)}`
    if (kind === KIND_BODY) return `shared message ${numberOfKey(key)}`
    if (kind === KIND_BLOCK || kind === KIND_BLOCK_DATA) {
      return `messages of queue ${numberOfKey(key)} from number ${entrySeq(key)} on`
    }
  } catch {
    // Of another length than its kind has.
  }
  return `${kinds.get(kind)?.name ?? 'unknown keys'}: ${nameOfKey(key)}`
}

/** Text where it is text, because a client identifier or a topic says more than its bytes. */
export function nameOfKey(key: Buffer): string {
  const rest = key.subarray(1)
  const text = rest.toString('utf8')
  return /^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(text) ? `'${text}'` : `key ${rest.toString('hex')}`
}
