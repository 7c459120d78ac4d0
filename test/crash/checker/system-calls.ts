import { readFile } from 'node:fs/promises'

/** One call of a traced process. Places are those of the trace's lines. */
export interface Call {
  readonly name: string
  /** What the file descriptor stands for, such as `/data/db/000003.log` or `socket:[123]`. */
  readonly file: string
  /** All buffers of the call one behind the other, cut to what was really read or written. */
  readonly bytes: Buffer
  readonly begin: number
  readonly end: number
}

const WHOLE = /^(\d+) +(\w+)\(\d+<([^>]*)>(.*)\) += (-?\d+)/
const BEGUN = /^(\d+) +(\w+)\(\d+<([^>]*)>(.*)<unfinished \.\.\.>$/
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)/

/** What `strace -f -y -xx` has written: the successful calls with a file descriptor, in the order of their ends. */
export async function readCalls(path: string): Promise<Call[]> {
  const calls: Call[] = []
  const open = new Map<string, { file: string; text: string; begin: number }>()
  const add = (name: string, file: string, text: string, result: number, begin: number, end: number): void => {
    if (result < 0) return
    const all = buffersOf(text)
    calls.push({
      name,
      file: unhex(file).toString(),
      bytes: name.startsWith('f') ? all : all.subarray(0, result),
      begin,
      end,
    })
  }
  for (const [at, line] of (await readFile(path, 'latin1')).split('\n').entries()) {
    const whole = WHOLE.exec(line)
    if (whole !== null) {
      add(whole[2] ?? '', whole[3] ?? '', whole[4] ?? '', Number(whole[5]), at, at)
      continue
    }
    const begun = BEGUN.exec(line)
    if (begun !== null) {
      open.set(begun[1] ?? '', { file: begun[3] ?? '', text: begun[4] ?? '', begin: at })
      continue
    }
    const resumed = RESUMED.exec(line)
    const first = open.get(resumed?.[1] ?? '')
    if (resumed === null || first === undefined) continue
    open.delete(resumed[1] ?? '')
    add(resumed[2] ?? '', first.file, first.text + (resumed[3] ?? ''), Number(resumed[4]), first.begin, at)
  }
  return calls
}

function buffersOf(text: string): Buffer {
  return Buffer.concat([...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map((match) => unhex(match[1] ?? '')))
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}
