import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { SluiceError } from '../base/errors.ts'
import { addQueueCommand } from './queue.ts'
import type { StartBroker } from './running-broker.ts'
import { addStartCommand } from './start.ts'
import { addStoreCommand } from './store.ts'
import { processTerminal, type Terminal } from './terminal.ts'

const HELP = `
Start with:
  sluice start --memory       try it without leaving anything behind
  sluice start --help         all that can be set
  sluice queue --help         look at a running broker's queues, and manage them
  sluice store --help         check, repair, back up and restore what is on disk
`

/** Loaded only when a broker is to run: help and mistakes are answered without it. */
async function ownBroker(): Promise<StartBroker> {
  const { startSluice } = await import('../compose.ts')
  return startSluice
}

/** Runs one command. Mistakes and faults become one line on standard error and an exit code, never a stack trace. */
export async function runCommand(
  args: readonly string[],
  terminal: Terminal = processTerminal,
  loadBroker: () => Promise<StartBroker> = ownBroker,
): Promise<void> {
  const program = new Command('sluice')
    .description('One broker for both halves of an IoT system: MQTT for the devices, queues for the workers.')
    .version(version(), '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    // All commands have options: to say so for each leaves no room for what it does.
    .configureHelp({
      subcommandTerm: (command) => `${command.name()} ${command.usage().replace(/\[options\] ?/, '')}`.trimEnd(),
    })
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: () => {} })
  addStartCommand(program, terminal, loadBroker)
  addQueueCommand(program, terminal)
  addStoreCommand(program, terminal)
  for (const command of program.commands) command.copyInheritedSettings(program).helpOption('--help', 'print this help')
  try {
    if (args.length === 0) program.outputHelp()
    else await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    fail(error, terminal)
  }
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function fail(error: unknown, terminal: Terminal): void {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return
    if (error.code === 'commander.help') {
      terminal.err('sluice: the command is not complete; see sluice --help\n')
      terminal.exit(2)
      return
    }
    // commander adds a suggestion on a line of its own.
    const sentence = error.message
      .replace(/^error: /, '')
      .replace(/\s*\n\s*/g, ' ')
      .replace(/\.$/, '')
    terminal.err(`sluice: ${sentence}; see sluice --help\n`)
    terminal.exit(2)
  } else if (error instanceof SluiceError) {
    terminal.err(`sluice: ${error.message}\n`)
    terminal.exit(error.exitCode)
  } else {
    terminal.err(`sluice: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    terminal.exit(1)
  }
}
