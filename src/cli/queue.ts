import type { Command } from 'commander'
import { SluiceError, UsageError } from '../base/errors.ts'
import { listText, type PeekedMessage, peekText, type QueueDetails, type QueueRow, showText } from './queue-text.ts'
import { count, messages, visible } from './queue-units.ts'
import type { Terminal } from './terminal.ts'

const DATA = ['--data <folder>', "the running broker's data folder", './sluice-data'] as const
const JSON_FLAG = ['--json', 'print JSON for scripts'] as const

const EXAMPLES = `
Examples:
  sluice queue list                                  length, lag, rates
  sluice queue declare orders --bind 'order/#' --argument maxLength=1000
  sluice queue bind orders 'shop/+/order'            topic filters of MQTT
  sluice queue bind orders --exchange logs --key k   any other exchange
  sluice queue peek orders --count 5                 look, and change nothing
  sluice queue move orders.dead orders               try dead letters again

They ask the broker that runs on the data folder. More: docs/queues.md
`

interface Flags {
  readonly data: string
  readonly json?: true
}

interface BindingFlags extends Flags {
  readonly exchange?: string
  readonly key?: string
  readonly argument: readonly string[]
}

type Ask = (command: string, given: object, progress?: (what: unknown) => void) => Promise<unknown>

/** `sluice queue …`: asks the broker that runs on a data folder, over its control socket. */
export function addQueueCommand(program: Command, terminal: Terminal): void {
  const queue = program.command('queue').description("look at a running broker's queues, and manage them")
  queue.addHelpText('after', EXAMPLES).helpCommand(false)
  const add = (name: string, description: string): Command =>
    queue
      .command(name)
      .description(description)
      .option(...DATA)
      .option(...JSON_FLAG)
  add('list', 'all queues: length, consumers, lag, rates, time until empty').action((flags: Flags) =>
    list(terminal, flags),
  )
  add('show <queue>', 'one queue: figures, arguments, bindings').action(async (name: string, flags: Flags) => {
    const details = (await asking(flags)('queue.show', { queue: name })) as QueueDetails
    terminal.out(flags.json === true ? `${JSON.stringify(details)}\n` : showText(details))
  })
  add('peek <queue>', 'the messages at the front, left where they are')
    .option('--count <number>', 'how many', '1')
    .action((name: string, flags: Flags & { count: string }) => peek(terminal, name, flags))
  add('publish <queue> <text>', 'put one message into a queue').action(
    async (name: string, text: string, flags: Flags) => {
      const result = await asking(flags)('queue.publish', { queue: name, payload: text })
      say(terminal, flags, result, `put 1 message into ${visible(name)}`)
    },
  )
  add('purge <queue>', 'delete all messages that are ready').action(async (name: string, flags: Flags) => {
    const result = (await asking(flags)('queue.purge', { queue: name })) as { purged: number }
    say(terminal, flags, result, `deleted ${messages(result.purged)} from ${visible(name)}`)
  })
  addBindingCommands(add, terminal)
  add('declare <queue>', 'make a queue, or see that it is there')
    .option('--argument <name=value>', 'maxLength=1000, x-max-length=1000, …; may be repeated', collect, [])
    .option('--bind <filter>', 'topic filter of MQTT; may be repeated', collect, [])
    .option('--transient', 'gone with the broker, messages in memory')
    .option('--auto-delete', 'gone with its last consumer')
    .action(async (name: string, flags: DeclareFlags) => {
      const { transient = false, autoDelete = false, bind: filters } = flags
      const given = { queue: name, transient, autoDelete, filters, arguments: flags.argument.map(pair) }
      const result = (await asking(flags)('queue.declare', given)) as { created: boolean }
      say(terminal, flags, result, `${visible(name)} ${result.created ? 'is there now' : 'was there already'}`)
    })
  add('delete <queue>', 'delete it with its messages and bindings')
    .option('--if-empty', 'only when no message is ready')
    .option('--if-unused', 'only when it has no consumer')
    .action(async (name: string, flags: Flags & { ifEmpty?: true; ifUnused?: true }) => {
      const { ifEmpty = false, ifUnused = false } = flags
      const result = (await asking(flags)('queue.delete', { queue: name, ifEmpty, ifUnused })) as { deleted: number }
      say(terminal, flags, result, `deleted ${visible(name)} with ${messages(result.deleted)}`)
    })
  add('move <from> <to>', 'move ready messages to the end of another queue')
    .option('--count <number>', 'how many (default: all that are ready now)')
    .action((from: string, to: string, flags: Flags & { count?: string }) => move(terminal, from, to, flags))
  for (const command of queue.commands) command.copyInheritedSettings(queue).helpOption('--help', 'print this help')
}

interface DeclareFlags extends Flags {
  readonly transient?: true
  readonly autoDelete?: true
  readonly argument: readonly string[]
  readonly bind: readonly string[]
}

function addBindingCommands(add: (name: string, description: string) => Command, terminal: Terminal): void {
  for (const [name, description] of [
    ['bind', 'get what is published to topics, or to an exchange'],
    ['unbind', 'take bindings away'],
  ] as const) {
    add(`${name} <queue> [filters...]`, description)
      .option('--exchange <name>', 'bind to this exchange in the place of topics')
      .option('--key <key>', 'binding key, with --exchange')
      .option(
        '--argument <name=value>',
        'what a headers exchange compares, with --exchange; may be repeated',
        collect,
        [],
      )
      .action(async (queue: string, filters: string[], flags: BindingFlags) => {
        const { exchange, key } = flags
        if (exchange === undefined && (key !== undefined || flags.argument.length > 0)) {
          throw new UsageError('QUEUE_USAGE', '--key and --argument need --exchange')
        }
        const given = { queue, filters, exchange, key, arguments: flags.argument.map(pair) }
        const result = (await asking(flags)(`queue.${name}`, given)) as { added?: number; removed?: number }
        const { added = 0, removed = 0 } = result
        const sentence = name === 'unbind' ? `took away ${bindings(removed)}` : `added ${bindings(added)}`
        say(terminal, flags, result, `${sentence}${name === 'bind' && added === 0 ? ': there already' : ''}`)
      })
  }
}

async function list(terminal: Terminal, flags: Flags): Promise<void> {
  const rows: QueueRow[] = []
  await asking(flags)('queue.list', {}, (page) => rows.push(...(page as QueueRow[])))
  if (flags.json === true) terminal.out(`[${rows.map((row) => JSON.stringify(row)).join(',\n')}]\n`)
  else terminal.out(listText(rows, terminal.columns))
}

async function peek(terminal: Terminal, queue: string, flags: Flags & { count: string }): Promise<void> {
  let told = 0
  const result = await asking(flags)('queue.peek', { queue, count: wholeNumber('--count', flags.count) }, (each) => {
    told++
    if (flags.json === true) terminal.out(`${told === 1 ? '[' : ',\n'}${JSON.stringify(each)}`)
    else terminal.out(peekText(each as PeekedMessage, told))
  })
  const { ready } = result as { ready: number }
  if (flags.json === true) terminal.out(told === 0 ? '[]\n' : ']\n')
  else if (told === 0) terminal.out('no message is ready\n')
  else terminal.out(`${count(told)} of ${count(ready)} that are ready\n`)
}

/** Why a move ended early, as the end of a sentence. */
const HALTS = new Map([
  ['full', 'the target is full'],
  ['refused', 'the target refuses more'],
  ['gone', 'one of the two queues was deleted'],
])

async function move(terminal: Terminal, from: string, to: string, flags: Flags & { count?: string }): Promise<void> {
  const given = { from, to, ...(flags.count === undefined ? {} : { count: wholeNumber('--count', flags.count) }) }
  const result = (await asking(flags)('queue.move', given, (what) => {
    const { moved, wanted } = what as { moved: number; wanted: number }
    if (terminal.isErrorTty) terminal.err(`\rmoved ${count(moved)} of ${count(wanted)}`)
  })) as { moved: number; left: number; halt: string | null }
  if (terminal.isErrorTty) terminal.err('\r\u001b[K')
  const { moved, left, halt } = result
  say(terminal, flags, result, `moved ${messages(moved)} from ${visible(from)} to ${visible(to)}; ${count(left)} left`)
  if (halt !== null) throw new SluiceError('QUEUE_MOVE', `stopped there: ${HALTS.get(halt) ?? halt}`)
}

/** Loaded when it is needed: help and mistakes are answered without it. */
function asking({ data }: Flags): Ask {
  return async (command, given, progress) => {
    const { askBroker } = await import('../maintenance.ts')
    return askBroker(data, command, given, progress)
  }
}

function say(terminal: Terminal, { json }: Flags, result: unknown, sentence: string): void {
  terminal.out(json === true ? `${JSON.stringify(result)}\n` : `${sentence}\n`)
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function pair(text: string): readonly [name: string, value: string] {
  const end = text.indexOf('=')
  if (end > 0) return [text.slice(0, end), text.slice(end + 1)]
  throw new UsageError('QUEUE_USAGE', `--argument: expected a name, = and a value, got '${text}'`)
}

function wholeNumber(flag: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new UsageError('QUEUE_USAGE', `${flag}: expected a whole number from 1 on, got '${text}'`)
}

function bindings(number: number): string {
  return `${count(number)} ${number === 1 ? 'binding' : 'bindings'}`
}
