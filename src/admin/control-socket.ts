import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/**
 * The control socket of a data folder: JSON objects, one a line.
 *
 * To the broker: `{ "id": 1, "command": "store.backup", "arguments": { … } }`. Back, with the same id: any number of
 * `{ "id": 1, "progress": … }`, then `{ "id": 1, "result": … }` or `{ "id": 1, "error": { "code", "message" } }`.
 * Who may connect may do everything: the socket is for the user of the broker alone (mode 0600).
 */
export interface ControlRequest {
  readonly id: number
  readonly command: string
  readonly arguments: Readonly<Record<string, unknown>>
}

export type ControlReply =
  | { readonly id: number; readonly progress: unknown }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } }

export const SOCKET_NAME = 'control.sock'
/** Bytes of one line, either way. */
export const LINE_BYTES_MAX = 16 * 1024 * 1024

// The system's limit is 108 bytes with the zero at the end, 104 on some.
const PATH_BYTES_MAX = 100

/** A path under which the system can bind or connect to the socket, and how to let go of it. */
export async function socketPath(folder: string): Promise<{ path: string; release: () => Promise<void> }> {
  const path = join(resolve(folder), SOCKET_NAME)
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX || process.platform !== 'linux') {
    return { path, release: () => Promise.resolve() }
  }
  // However long its name is, an open folder has a short one.
  const handle = await open(resolve(folder), 'r')
  return { path: `/proc/self/fd/${handle.fd}/${SOCKET_NAME}`, release: () => handle.close() }
}

/** Cuts what arrives into lines; throws RangeError for one that is too long. */
export class LineReader {
  private rest: Buffer[] = []
  private restBytes = 0

  /** The lines that are complete now. */
  push(chunk: Buffer): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      lines.push(Buffer.concat([...this.rest, chunk.subarray(start, end)]).toString('utf8'))
      this.rest = []
      this.restBytes = 0
      start = end + 1
    }
    if (start < chunk.length) {
      this.rest.push(chunk.subarray(start))
      this.restBytes += chunk.length - start
    }
    if (this.restBytes > LINE_BYTES_MAX) throw new RangeError('the line is too long')
    return lines
  }
}
