import { spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newDataFolder } from '../machine.mjs'
import { freePort } from './free-port.mjs'
import { endWithThis, startBroker } from './process.mjs'

// Debian's own wrapper changes the user; the script below it does not.
const candidates = [
  '/usr/lib/rabbitmq/bin/rabbitmq-server',
  '/usr/local/sbin/rabbitmq-server',
  '/opt/rabbitmq/sbin/rabbitmq-server',
]
const program = candidates.find((path) => existsSync(path))
const user = 'bench'

/**
 * Everyone who comes over MQTT is the one user, who is also AMQP's consumer.
 *
 * @param {{ mqtt: number, amqp: number }} ports
 * @param {string} folder
 */
const config = (ports, folder) => `
listeners.tcp.default = 127.0.0.1:${ports.amqp}
mqtt.listeners.tcp.default = 127.0.0.1:${ports.mqtt}
mqtt.tcp_listen_options.nodelay = true
mqtt.allow_anonymous = true
mqtt.default_user = ${user}
mqtt.default_pass = ${user}
mqtt.exchange = amq.topic
loopback_users = none
load_definitions = ${join(folder, 'definitions.json')}
log.console = true
log.console.level = error
log.file = false
`

/** The queues of a row: durable classic ones, bound to `amq.topic`. @param {import('../scenarios.mjs').BenchQueue[]} queues */
function definitions(queues) {
  const salt = randomBytes(4)
  const hash = createHash('sha256').update(salt).update(user).digest()
  const shared = { vhost: '/', durable: true, auto_delete: false, arguments: {} }
  return {
    users: [
      {
        name: user,
        password_hash: Buffer.concat([salt, hash]).toString('base64'),
        hashing_algorithm: 'rabbit_password_hashing_sha256',
        tags: [],
      },
    ],
    vhosts: [{ name: '/' }],
    permissions: [{ user, vhost: '/', configure: '.*', write: '.*', read: '.*' }],
    queues: queues.map(({ name }) => ({ ...shared, name })),
    bindings: queues.flatMap(({ name, filters }) =>
      filters.map((filter) => ({
        vhost: '/',
        source: 'amq.topic',
        destination: name,
        destination_type: 'queue',
        routing_key: filter.replaceAll('/', '.').replaceAll('+', '*'),
        arguments: {},
      })),
    ),
  }
}

/** @type {import('./catalogue.mjs').Kind} */
export const rabbitmq = {
  unavailable: (scenario) => {
    if (!program) return 'RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)'
    return scenario !== undefined && scenario.queues === undefined ? 'it is measured with queues only' : undefined
  },
  version: () => `RabbitMQ ${rabbitVersion() ?? ''}, Erlang/OTP ${erlangVersion()}`,
  async start({ queues = [] }) {
    if (!program) throw new Error('RabbitMQ is not installed')
    const folder = newDataFolder()
    const [mqtt, amqp, distribution, names] = [await freePort(), await freePort(), await freePort(), await freePort()]
    writeFileSync(join(folder, 'rabbitmq.conf'), config({ mqtt, amqp }, folder))
    writeFileSync(join(folder, 'definitions.json'), JSON.stringify(definitions(queues)))
    writeFileSync(join(folder, 'enabled_plugins'), '[rabbitmq_mqtt].\n')
    mkdirSync(join(folder, 'log'))
    const erlang = { ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: String(names) }
    // Erlang's register of nodes, of this run alone; otherwise one would be started that stays.
    const register = endWithThis(spawn('epmd', ['-address', '127.0.0.1', '-port', String(names)], { stdio: 'ignore' }))
    const environment = {
      ...erlang,
      HOME: folder,
      // The Erlang machine takes the place of the script, so that the process id is that of the broker.
      RUNNING_UNDER_SYSTEMD: 'true',
      RABBITMQ_NODENAME: 'bench@localhost',
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'none.config'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
      RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'generated'),
      RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}',
    }
    const variables = Object.entries(environment).map(([key, value]) => `${key}=${value}`)
    const broker = await startBroker(['env', ...variables, program], /completed with \d+ plugins/, {
      port: mqtt,
      readyMs: 60_000,
      clean: () => {
        register.kill()
        rmSync(folder, { recursive: true, force: true })
      },
    })
    return { ...broker, amqpPort: amqp }
  },
}

function rabbitVersion() {
  const lib = '/usr/lib/rabbitmq/lib'
  const folder = existsSync(lib) ? readdirSync(lib).find((name) => name.startsWith('rabbitmq_server-')) : undefined
  return folder?.slice('rabbitmq_server-'.length)
}

function erlangVersion() {
  const asked = spawnSync('erl', ['-noshell', '-eval', 'io:put_chars(erlang:system_info(otp_release)),halt().'])
  return String(asked.stdout)
}
