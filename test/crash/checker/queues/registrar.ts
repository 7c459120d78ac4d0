import { keyOfFilter } from '../../../../src/message/key-topic.ts'
import { decodeBinding, decodeQueue } from '../../../../src/queue/queue-definition.ts'
import { KIND_BINDING, KIND_QUEUE, stringOfKey } from '../../../../src/store/keys.ts'
import type { Random } from '../random.ts'
import { pause, type Stage } from '../stage.ts'
import type { Rows } from './queue-account.ts'

/** One of the commands of `sluice queue`; resolves when what it has changed is on disk. */
export type Ask = (command: string, given: object) => Promise<unknown>

export const MADE_PREFIX = 'made.'
const QUEUES = 5
const FILTERS = ['jobs/+/0', 'jobs/+/1', 'jobs/queuer 5/#']
const LENGTH_MAX = 400
const PAUSE_MS = 30
const ANSWER_MS_MAX = 10_000

/**
 * Declares, binds, unbinds, purges and deletes queues in use, one change after the other. What a crash leaves has to be
 * what one of the changes had led to, and none before the last that was acknowledged.
 */
export class Registrar {
  private readonly stage: Stage
  private readonly ask: Ask
  private readonly random: Random
  /** Queues with their filters. */
  private made = new Map<string, Set<string>>()
  /** What the store may hold: after the last change that was acknowledged, and after the one that was not. */
  private possible = ['']
  private isDone = false

  constructor(stage: Stage, ask: Ask) {
    this.stage = stage
    this.ask = ask
    this.random = stage.random.fork()
  }

  async run(): Promise<void> {
    while (!this.isDone) {
      await this.stage.up()
      if (this.stage.isEnding) await this.deleteOne()
      else await this.changeOne()
      await pause(this.random.below(PAUSE_MS))
    }
  }

  /** While the broker is down. */
  check(rows: Rows): void {
    const found = new Map<string, Set<string>>()
    for (const [key, value] of rows) {
      if (key[0] !== KIND_QUEUE) continue
      const { definition } = decodeQueue(stringOfKey(key), value)
      if (definition.name.startsWith(MADE_PREFIX)) found.set(definition.name, new Set())
    }
    for (const [key, value] of rows) {
      if (key[0] !== KIND_BINDING) continue
      const { target, key: bindingKey } = decodeBinding(value)
      const filter = FILTERS.find((each) => keyOfFilter(each) === bindingKey)
      if (filter !== undefined) found.get(target)?.add(filter)
    }
    const text = textOf(found)
    if (!this.possible.includes(text)) {
      const expected = this.possible.join(' or ')
      this.stage.journal.violation(`the store has the queues ${text}, and it should have ${expected}`)
    }
    this.made = found
    this.possible = [text]
  }

  private async deleteOne(): Promise<void> {
    const [name] = this.made.keys()
    if (name === undefined) this.isDone = true
    else await this.change('queue.delete', { queue: name }, () => void this.made.delete(name))
  }

  private async changeOne(): Promise<void> {
    const { random } = this
    const queue = `${MADE_PREFIX}${random.below(QUEUES)}`
    const filter = FILTERS[random.below(FILTERS.length)] ?? ''
    const filters = this.made.get(queue)
    const choice = random.next()
    if (filters === undefined) {
      const given = { queue, filters: [filter], arguments: [['maxLength', String(LENGTH_MAX)]] }
      await this.change('queue.declare', given, () => void this.made.set(queue, new Set([filter])))
    } else if (choice < 0.25) {
      await this.change('queue.delete', { queue }, () => void this.made.delete(queue))
    } else if (choice < 0.4) {
      await this.change('queue.purge', { queue }, () => {})
    } else if (filters.has(filter)) {
      await this.change('queue.unbind', { queue, filters: [filter] }, () => void filters.delete(filter))
    } else {
      await this.change('queue.bind', { queue, filters: [filter] }, () => void filters.add(filter))
    }
  }

  private async change(command: string, given: object, apply: () => void): Promise<void> {
    const { stage } = this
    const since = stage.upSinceMs
    if (!stage.isUp) return
    const isSame = (): boolean => stage.isUp && stage.upSinceMs === since
    apply()
    const after = textOf(this.made)
    this.possible.push(after)
    let problem: string | undefined
    let isDone = false
    void this.ask(command, given).then(
      () => (isDone = true),
      (error: unknown) => (problem = String(error)),
    )
    const endMs = performance.now() + ANSWER_MS_MAX
    while (isSame() && !isDone && problem === undefined && performance.now() < endMs) await pause(1)
    if (isDone && isSame()) {
      this.possible = [after]
      return
    }
    // What the crash has broken may be seen before the crash is known.
    if (isSame()) await pause(500)
    if (isSame()) stage.journal.violation(`${command} ${JSON.stringify(given)}: ${problem ?? 'no answer'}`)
  }
}

function textOf(made: ReadonlyMap<string, ReadonlySet<string>>): string {
  return [...made]
    .map(([name, filters]) => `${name} (${[...filters].toSorted().join(', ')})`)
    .toSorted()
    .join(' ')
}
