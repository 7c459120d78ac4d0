import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { SluiceError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { type ControlReply, type ControlRequest, LineReader, socketPath } from './control-socket.ts'

/**
 * Does what a command asks; what it throws is told to who asked. `progress` may be called at any time before; `gone` is
 * aborted when nobody waits for the answer any more.
 */
export type ControlCommand = (
  given: Readonly<Record<string, unknown>>,
  progress: (what: unknown) => void,
  gone: AbortSignal,
) => Promise<unknown>

const CONNECTIONS_MAX = 16
const REQUESTS_MAX = 16

/** Answers the command line of this machine's user, on a socket in the data folder. */
export class ControlServer {
  private readonly log: Log
  private readonly commands = new Map<string, ControlCommand>()
  private readonly sockets = new Set<Socket>()
  private server: Server | undefined
  private release: () => Promise<void> = () => Promise.resolve()
  private path = ''

  constructor(log: Log) {
    this.log = log
  }

  /** `name` as in `store.backup`. */
  on(name: string, command: ControlCommand): void {
    this.commands.set(name, command)
  }

  /** Without the socket the broker is none the worse: a failure is logged. The folder must be locked by this process. */
  async listen(folder: string): Promise<void> {
    try {
      const { path, release } = await socketPath(folder)
      this.release = release
      this.path = path
      // Of a broker that was killed: this one holds the lock of the store.
      await rm(path, { force: true })
      const server = createServer((socket) => this.accept(socket))
      this.server = server
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        withUmask(0o177, () => server.listen(path, resolve))
      })
      server.on('error', (error) => this.log.warn({ err: error }, 'the control socket has a problem'))
      await chmod(path, 0o600)
      server.unref()
    } catch (error) {
      this.log.warn(
        { folder, err: error },
        'no control socket: sluice store backup and sluice queue will not reach this broker',
      )
    }
  }

  async close(): Promise<void> {
    const { server } = this
    this.server = undefined
    for (const socket of this.sockets) socket.destroy()
    if (server?.listening) await new Promise<void>((resolve) => server.close(() => resolve()))
    if (this.path !== '') await rm(this.path, { force: true }).catch(() => undefined)
    await this.release()
    this.path = ''
  }

  private accept(socket: Socket): void {
    if (this.sockets.size >= CONNECTIONS_MAX) {
      socket.destroy()
      return
    }
    this.sockets.add(socket)
    const lines = new LineReader()
    let open = 0
    socket.on('error', () => socket.destroy())
    const gone = new AbortController()
    socket.on('close', () => {
      this.sockets.delete(socket)
      gone.abort()
    })
    socket.on('data', (chunk) => {
      try {
        for (const line of lines.push(chunk)) {
          if (++open > REQUESTS_MAX) throw new RangeError('too many requests at once')
          void this.answer(line, (reply) => send(socket, reply), gone.signal).then(() => open--)
        }
      } catch (error) {
        this.log.warn({ err: error }, 'closed a control connection that sent nonsense')
        socket.destroy()
      }
    })
  }

  private async answer(line: string, send: (reply: ControlReply) => void, gone: AbortSignal): Promise<void> {
    let id = 0
    try {
      const request = parseRequest(line)
      id = request.id
      const command = this.commands.get(request.command)
      if (command === undefined) {
        throw new SluiceError('CONTROL_UNKNOWN_COMMAND', `this broker does not know the command '${request.command}'`)
      }
      const result = await command(request.arguments, (progress) => send({ id, progress }), gone)
      send({ id, result: result ?? null })
    } catch (error) {
      const code = error instanceof SluiceError ? error.code : 'CONTROL_FAILED'
      if (!(error instanceof SluiceError)) this.log.error({ err: error }, 'a control command failed')
      send({ id, error: { code, message: error instanceof Error ? error.message : String(error) } })
    }
  }
}

function send(socket: Socket, reply: ControlReply): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(reply)}\n`)
}

/** Throws a SluiceError for a line that is no request. */
export function parseRequest(line: string): ControlRequest {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new SluiceError('CONTROL_MALFORMED', 'the line is no JSON')
  }
  const { id, command, arguments: given = {} } = (value ?? {}) as Partial<ControlRequest>
  if (typeof id !== 'number' || typeof command !== 'string' || typeof given !== 'object' || given === null) {
    throw new SluiceError('CONTROL_MALFORMED', 'a request is { "id", "command", "arguments" }')
  }
  return { id, command, arguments: given }
}

// The socket must not be open to others for the moment before its mode is set.
function withUmask(mask: number, run: () => void): void {
  let before: number
  try {
    before = process.umask(mask)
  } catch {
    // A worker thread may not: the mode is set right after.
    run()
    return
  }
  try {
    run()
  } finally {
    process.umask(before)
  }
}
