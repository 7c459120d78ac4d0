import { decodeBinding, decodeExchange, decodeQueue } from '../../../../src/queue/queue-definition.ts'
import { recordKinds } from '../../../../src/maintenance.ts'
import { accountFor } from '../../../../src/store/account.ts'
import { Batch } from '../../../../src/store/batch.ts'
import { KIND_BINDING, KIND_EXCHANGE, KIND_QUEUE, stringOfKey } from '../../../../src/store/keys.ts'
import { MemoryBackend } from '../../../../src/store/memory/memory-backend.ts'
import { MADE_PREFIX } from './registrar.ts'
import { bindingPlans, DEAD_EXCHANGE, queueArguments } from './topology.ts'

export type Rows = readonly (readonly [key: Buffer, value: Buffer])[]

/** What a store holds, as `sluice store check` sees it. */
export interface QueueAccount {
  /** Keys of each kind, or messages where a key has several. */
  readonly good: ReadonlyMap<string, number>
  readonly leftovers: readonly string[]
  readonly damaged: readonly string[]
}

export async function accountOf(rows: Rows): Promise<QueueAccount> {
  const backend = new MemoryBackend()
  const batch = new Batch()
  for (const [key, value] of rows) batch.put(key, value)
  await new Promise((resolve) => backend.write(batch, resolve))
  const good = new Map<string, number>()
  const leftovers: string[] = []
  const damaged: string[] = []
  await accountFor(backend, recordKinds, (key, _value, { state, kind, why, count = 1 }) => {
    const text = `${kind} ${key.toString('hex')}: ${why}`
    if (state === 'good') good.set(kind, (good.get(kind) ?? 0) + count)
    else if (state === 'leftover') leftovers.push(text)
    else damaged.push(text)
  })
  return { good, leftovers, damaged }
}

/** Whether the definitions that do not change are in the store as they were declared; answers what is wrong. */
export function definitionProblems(rows: Rows): string[] {
  const problems: string[] = []
  const wanted = new Map([...queueArguments].map(([name, args]) => [`queue ${name}`, textOf(args)]))
  wanted.set(`exchange ${DEAD_EXCHANGE}`, 'direct')
  for (const { source, queue, key } of bindingPlans) wanted.set(`binding ${source} ${queue} ${key}`, '')
  const compare = (name: string, text: string): void => {
    const expected = wanted.get(name)
    wanted.delete(name)
    if (expected !== text) problems.push(`the store has the ${name} ${text}, declared was ${expected}`)
  }
  for (const [key, value] of rows) {
    if (key[0] === KIND_QUEUE) {
      const { definition } = decodeQueue(stringOfKey(key), value)
      if (!definition.name.startsWith(MADE_PREFIX))
        compare(`queue ${definition.name}`, textOf(Object.fromEntries(definition.arguments)))
    } else if (key[0] === KIND_EXCHANGE) {
      const { name, type } = decodeExchange(stringOfKey(key), value)
      compare(`exchange ${name}`, type)
    } else if (key[0] === KIND_BINDING) {
      const { source, target, key: bindingKey } = decodeBinding(value)
      if (!target.startsWith(MADE_PREFIX)) compare(`binding ${source} ${target} ${bindingKey}`, '')
    }
  }
  for (const name of wanted.keys()) problems.push(`the store has lost the ${name}`)
  return problems
}

function textOf(args: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(
    Object.entries(args)
      .map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value])
      .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  )
}
