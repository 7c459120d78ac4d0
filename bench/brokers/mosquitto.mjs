import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.mjs'
import { startBroker } from './process.mjs'

// Debian installs it where a user's PATH does not look.
const candidates = ['mosquitto', '/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto']
const program = candidates.find((path) => spawnSync(path, ['-h']).error === undefined)

/**
 * Nothing is stored, queues are unlimited, and so is the number of messages in flight: with 20, its default, or 100 it
 * is slower at QoS 2, since it searches long queues.
 *
 * @param {number} port
 */
const config = (port) => `
listener ${port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
log_dest stderr
log_type information
connection_messages false
`

/** @type {import('./catalogue.mjs').Kind} */
export const mosquitto = {
  unavailable: (scenario) => {
    if (!program) return 'mosquitto is not installed (Debian: apt-get install mosquitto)'
    return scenario?.queues ? 'mosquitto has no queues' : undefined
  },
  version: () => /mosquitto version \S+/.exec(String(spawnSync(program ?? '', ['-h']).stdout))?.[0] ?? 'mosquitto',
  async start() {
    if (!program) throw new Error('mosquitto is not installed')
    const folder = mkdtempSync(join(tmpdir(), 'mosquitto-bench-'))
    const file = join(folder, 'mosquitto.conf')
    const port = await freePort()
    writeFileSync(file, config(port))
    return startBroker([program, '-c', file], /mosquitto version \S+ running/, {
      port,
      clean: () => rmSync(folder, { recursive: true, force: true }),
    })
  },
}
