import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { Program } from './program.ts'

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
  '--window-size=1000,640',
]

interface Answer {
  readonly id?: number
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

/** A headless Chromium with one page, driven over its DevTools protocol. */
export class Browser {
  private readonly program: Program
  private readonly folder: string
  private readonly socket: WebSocket
  private readonly waiting = new Map<number, (answer: Answer) => void>()
  private sessionId: string | undefined
  private lastId = 0

  private constructor(program: Program, folder: string, socket: WebSocket) {
    this.program = program
    this.folder = folder
    this.socket = socket
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer
      this.waiting.get(answer.id ?? 0)?.(answer)
    })
  }

  static async open(command: string): Promise<Browser> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-browser-'))
    const program = new Program(command, [...FLAGS, `--user-data-dir=${folder}`, 'about:blank'])
    const line = await program.line('DevTools listening on', program.errors)
    const socket = new WebSocket(line.slice(line.indexOf('ws://')))
    await once(socket, 'open')
    const browser = new Browser(program, folder, socket)
    const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await browser.send('Target.attachToTarget', { targetId, flatten: true })
    browser.sessionId = sessionId as string
    return browser
  }

  async visit(url: string): Promise<void> {
    await this.send('Page.navigate', { url })
    await this.until('document.readyState === "complete"')
  }

  /** The value of an expression in the page; a promise is waited for. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`)
    return (result as { value?: unknown }).value
  }

  /** Waits until an expression holds in the page; the test's own time limit ends the waiting. */
  async until(condition: string): Promise<void> {
    const look = `const look = () => (${condition}) ? resolve(true) : setTimeout(look, 10)`
    await this.evaluate(`new Promise((resolve) => { ${look}; look() })`)
  }

  /** As PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(data as string, 'base64')
  }

  async close(): Promise<void> {
    this.socket.terminate()
    this.program.kill()
    await this.program.finished()
    // Its helpers end a moment later and may still write.
    await rm(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  }

  private send(method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.lastId
    const { sessionId } = this
    this.socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }))
    return new Promise((resolve, reject) => {
      this.waiting.set(id, ({ result, error }) => {
        this.waiting.delete(id)
        if (error === undefined) resolve(result ?? {})
        else reject(new Error(`${method}: ${error.message}`))
      })
    })
  }
}
