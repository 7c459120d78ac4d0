import { createConnection, type Socket } from 'node:net'
import { SluiceError } from '../base/errors.ts'
import { type ControlReply, LineReader, socketPath } from './control-socket.ts'

/** A connection to the broker that has a data folder. */
export class ControlClient {
  private readonly socket: Socket
  private readonly lines = new LineReader()
  private readonly waiting = new Map<number, (reply: ControlReply | undefined) => void>()
  private lastId = 0

  private constructor(socket: Socket) {
    this.socket = socket
    const end = (): void => {
      for (const answer of this.waiting.values()) answer(undefined)
      this.waiting.clear()
    }
    socket.on('error', end).on('close', end)
    socket.on('data', (chunk) => {
      for (const line of this.lines.push(chunk)) {
        const reply = JSON.parse(line) as ControlReply
        this.waiting.get(reply.id)?.(reply)
      }
    })
  }

  /** Throws a SluiceError when no broker answers there. */
  static async connect(folder: string): Promise<ControlClient> {
    let release: () => Promise<void> = () => Promise.resolve()
    try {
      const found = await socketPath(folder)
      release = found.release
      const socket = createConnection(found.path)
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
      return new ControlClient(socket)
    } catch (cause) {
      throw new SluiceError(
        'CONTROL_NO_BROKER',
        `no broker is running on ${folder}; name its data folder with --data, and run this as the broker's user; ` +
          'one that was started with --memory cannot be asked',
        { cause },
      )
    } finally {
      await release()
    }
  }

  /** Resolves with the command's result; rejects with a SluiceError of the broker's code. */
  ask(command: string, given: object, progress: (what: unknown) => void = () => {}): Promise<unknown> {
    const id = ++this.lastId
    return new Promise((resolve, reject) => {
      this.waiting.set(id, (reply) => {
        if (reply !== undefined && 'progress' in reply) {
          progress(reply.progress)
          return
        }
        this.waiting.delete(id)
        if (reply === undefined) reject(new SluiceError('CONTROL_LOST', 'the broker ended before it had answered'))
        else if ('error' in reply) reject(new SluiceError(reply.error.code, reply.error.message))
        else resolve(reply.result)
      })
      this.socket.write(`${JSON.stringify({ id, command, arguments: given })}\n`)
    })
  }

  close(): void {
    this.socket.destroy()
  }
}

/** Whether a broker answers on the control socket of this folder. */
export async function isBrokerRunning(folder: string): Promise<boolean> {
  try {
    const client = await ControlClient.connect(folder)
    client.close()
    return true
  } catch {
    return false
  }
}
