import { type Command, Option } from 'commander'
import { systemClock } from '../base/clock.ts'
import type { Override } from '../config/environment.ts'
import { loadConfig } from '../config/load.ts'
import { giveHeapRoom } from './heap-room.ts'
import type { StartBroker } from './running-broker.ts'
import { closeOnSignal } from './shutdown.ts'
import type { Terminal } from './terminal.ts'

/** Flags as commander hands them over. */
export interface StartFlags {
  readonly config?: string
  readonly host?: string
  readonly mqttPort?: string
  readonly httpPort?: string
  readonly data?: string
  readonly memory?: true
  readonly durability?: string
  readonly logLevel?: string
}

const EXAMPLES = `
Examples:
  sluice start                                  listen on this machine only, store in ./sluice-data
  sluice start --host 0.0.0.0 --data /var/lib/sluice
  sluice start --memory --mqtt-port 0           for a test: any free port, nothing on disk
  sluice start --config sluice.yaml             limits and all other settings: docs/limits.md

Each key of the config file is also an environment variable: mqtt.port is SLUICE_MQTT_PORT.
A flag overrides the environment, the environment overrides the file.
SIGINT or SIGTERM closes within 5 seconds; a second one ends at once.
`

export function addStartCommand(program: Command, terminal: Terminal, loadBroker: () => Promise<StartBroker>): void {
  program
    .command('start')
    .description('run the broker until it is told to end')
    .option('--config <file>', 'settings in YAML')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--mqtt-port <number>', 'port for MQTT; 0 takes a free one (default: 1883)')
    .option('--http-port <number>', 'port for HTTP and MQTT over WebSocket; 0 takes a free one (default: 8080)')
    .option('--data <folder>', 'folder of the store (default: ./sluice-data)')
    .addOption(new Option('--memory', 'keep everything in memory, write nothing').conflicts(['data', 'durability']))
    .addOption(
      new Option(
        '--durability <how>',
        'what an acknowledgement promises: fsync (on disk), os (handed to the system), memory (default: fsync)',
      ),
    )
    .option('--log-level <level>', 'silent, error, warn, info or debug (default: info)')
    .addHelpText('after', EXAMPLES)
    .action((flags: StartFlags) => start(flags, terminal, loadBroker))
}

/** Resolves when the broker listens; what ends it is a signal. */
export async function start(
  flags: StartFlags,
  terminal: Terminal,
  loadBroker: () => Promise<StartBroker>,
): Promise<void> {
  const config = await loadConfig({ file: flags.config, environment: terminal.environment, flags: overrides(flags) })
  const { logToStderr } = await import('../base/log-to-stderr.ts')
  const { log, flush } = logToStderr(config.log.level, terminal.isErrorTty)
  terminal.onExit(flush)
  const startBroker = await loadBroker()
  giveHeapRoom()
  const starting = startBroker(config, log)
  // Before it is up: a large store takes seconds to open, and must be closed properly then too.
  closeOnSignal(terminal, systemClock, async () => (await starting).close())
  const { addresses } = await starting
  for (const { url } of addresses) terminal.out(`listening ${url}\n`)
}

/** The flags that were given, under the keys they override. */
export function overrides(flags: StartFlags): Override[] {
  const given: [flag: string, text: string | undefined, ...keys: string[]][] = [
    ['--host', flags.host, 'mqtt.host', 'http.host'],
    ['--mqtt-port', flags.mqttPort, 'mqtt.port'],
    ['--http-port', flags.httpPort, 'http.port'],
    ['--data', flags.data, 'data'],
    ['--memory', flags.memory && 'memory', 'durability'],
    ['--durability', flags.durability, 'durability'],
    ['--log-level', flags.logLevel, 'log.level'],
  ]
  return given.flatMap(([source, text, ...keys]) =>
    text === undefined ? [] : keys.map((key) => ({ path: key.split('.'), text, source })),
  )
}
