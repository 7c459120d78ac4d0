import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BrokerNeeds, Peer } from './peer.ts'

/** Debian's mosquitto as the broker under test, to tell a wrong test from a wrong broker. */
export async function startMosquitto(needs: BrokerNeeds): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), 'mosquitto-peer-'))
  const port = await freePort()
  await writeFile(join(folder, 'mosquitto.conf'), await configuration(needs, folder, port))
  let child = await launch(folder, port)
  return {
    open: () => openSocket(port),
    openInMemory: () => undefined,
    async restart() {
      await end(child)
      child = await launch(folder, port)
    },
    async pass(ms) {
      await sleep(ms)
    },
    async stop() {
      await end(child)
      await rm(folder, { recursive: true })
    },
  }
}

export async function openSocket(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host, noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

async function configuration(needs: BrokerNeeds, folder: string, port: number): Promise<string> {
  const lines = [
    `listener ${port} 127.0.0.1`,
    `user ${process.env['USER'] ?? 'root'}`,
    'set_tcp_nodelay true',
    `sys_interval ${needs.sysIntervalSeconds ?? 0}`,
    'queue_qos0_messages false',
    'max_queued_messages ' + (needs.limits?.queuedMessagesMax ?? 100_000),
  ]
  if (needs.persistent) lines.push('persistence true', `persistence_location ${folder}/`)
  if (needs.limits?.packetBytesMax) lines.push(`max_packet_size ${needs.limits.packetBytesMax}`)
  if (needs.limits?.inflightMessagesMax) lines.push(`max_inflight_messages ${needs.limits.inflightMessagesMax}`)
  if (needs.limits?.keepAliveSecondsMax) lines.push(`max_keepalive ${needs.limits.keepAliveSecondsMax}`)
  if (needs.users) {
    const file = join(folder, 'passwords')
    await writeFile(file, '')
    for (const [name, password] of Object.entries(needs.users)) {
      execFileSync('mosquitto_passwd', ['-b', file, name, password], { stdio: 'ignore' })
    }
    lines.push(`password_file ${file}`)
  } else lines.push('allow_anonymous true')
  if (needs.denyPublish !== undefined || needs.denySubscribe !== undefined) {
    const file = join(folder, 'access')
    const denied = [needs.denyPublish, needs.denySubscribe].filter((filter) => filter !== undefined)
    await writeFile(file, ['topic readwrite #', ...denied.map((filter) => `topic deny ${filter}`), ''].join('\n'))
    lines.push(`acl_file ${file}`)
  }
  return `${lines.join('\n')}\n`
}

// Below the ports that the system gives out by itself, and apart for each worker: nobody else takes one in between.
const WORKER = Number(process.env['VITEST_POOL_ID'] ?? 0)
let lastPort = 20_000 + WORKER * 1000

async function freePort(): Promise<number> {
  for (;;) {
    const port = ++lastPort
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

async function launch(folder: string, port: number): Promise<ChildProcess> {
  const child = spawn('mosquitto', ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore' })
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt++) {
    try {
      ;(await openSocket(port)).destroy()
      return child
    } catch {
      await sleep(10)
    }
  }
  throw new Error(`mosquitto did not start on port ${port}`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
