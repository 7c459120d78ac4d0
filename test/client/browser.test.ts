import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Browser } from './browser.ts'
import { isInstalled } from './program.ts'
import { ServedBroker } from './served-broker.ts'

const CHROMIUM = 'chromium'
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const EXAMPLE = 'docs/examples/browser.html'
const LIBRARY = 'node_modules/mqtt/dist/mqtt.min.js'
const there = isInstalled('Chromium', CHROMIUM, ['--version'])

let browser: Browser
let broker: ServedBroker
let server: Server
let site: string
const pages = new Map<string, string>()

/** Serves the example and the library where a checkout has them, and what a test puts into `pages`. */
async function serve(): Promise<void> {
  server = createServer((request, response) => {
    const path = (request.url ?? '/').slice(1).split('?')[0] ?? ''
    const page = pages.get(path)
    if (page !== undefined) response.setHeader('content-type', 'text/html; charset=utf-8').end(page)
    else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const path of [EXAMPLE, LIBRARY]) pages.set(path, await readFile(`${ROOT}${path}`, 'utf8'))
}

async function publish(topic: string, payload: string, retain = false): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const packet = { cmd: 'publish' as const, topic, payload, qos: 1 as const, retain, dup: false }
    broker.broker.publish(packet, (error?: Error) => (error ? reject(error) : resolve()))
  })
}

const rows = `[...document.querySelectorAll('#messages tr')].map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))`

describe.skipIf(!there)('a page in headless Chromium', () => {
  beforeAll(async () => {
    await serve()
    browser = await Browser.open(CHROMIUM)
  })

  afterAll(async () => {
    await browser.close()
    server.close()
  })

  beforeEach(async () => {
    broker = await ServedBroker.start()
  })

  afterEach(() => broker.stop())

  async function open(filter: string): Promise<void> {
    const query = new URLSearchParams({ url: broker.webSocketUrl, filter })
    await browser.visit(`${site}/${EXAMPLE}?${query}`)
    await browser.until(`document.querySelector('#state').textContent === 'subscribed to ${filter}'`)
  }

  test('subscribes over WebSocket and shows what is published', async () => {
    await publish('room/window', 'open', true)
    await open('room/#')
    await browser.until(`${rows}.length === 1`)
    await publish('room/kitchen/temperature', '21.5 °C')
    await publish('cellar', 'not for this page')
    await publish('room/<b>', '<img src=x onerror="document.title = 1">')
    await browser.until(`${rows}.length === 3`)
    expect(await browser.evaluate(rows)).toEqual([
      ['room/<b>', '1', '<img src=x onerror="document.title = 1">'],
      ['room/kitchen/temperature', '1', '21.5 °C'],
      ['room/window', '1, retained', 'open'],
    ])
    expect(await browser.evaluate('document.title')).toBe('Sluice in a browser')
    const file = process.env['SLUICE_SCREENSHOT']
    if (file) await writeFile(file, await browser.screenshot())
  })

  test.each(['0', '1', '2'])('publishes at QoS %s and hears itself', async (qos) => {
    await open('room/#')
    const heard = once(broker.broker, 'publish')
    await browser.evaluate(`(() => {
      const form = document.querySelector('#publish')
      form.elements.qos.value = '${qos}'
      form.elements.payload.value = 'at ${qos}'
      form.requestSubmit()
    })()`)
    expect((await heard)[0]).toMatchObject({ topic: 'room/browser/greeting', qos: Number(qos) })
    await browser.until(`${rows}.length === 1`)
    expect(await browser.evaluate(rows)).toEqual([['room/browser/greeting', qos, `at ${qos}`]])
  })

  test('connects and subscribes again after its connection broke', async () => {
    await open('room/#')
    for (const client of Object.values(broker.broker.clients)) client?.conn.destroy()
    await browser.until(`document.querySelector('#state').textContent === 'connected'`)
    await browser.until(`document.querySelector('#state').className === 'connected'`)
    await broker.subscription(Object.keys(broker.broker.clients)[0] ?? '', 2)
    await publish('room/again', 'x')
    await browser.until(`${rows}.length === 1`)
    expect(await browser.evaluate(rows)).toEqual([['room/again', '1', 'x']])
  })

  test('is told by the broker what it may not subscribe to', async () => {
    broker.broker.authorizeSubscribe = (_client, _subscription, done) => done(null, null)
    const query = new URLSearchParams({ url: broker.webSocketUrl, filter: 'secret' })
    await browser.visit(`${site}/${EXAMPLE}?${query}`)
    await browser.until(`document.querySelector('#state').textContent.includes('not allow')`)
    expect(await browser.evaluate(`document.querySelector('#state').className`)).toBe('')
  })

  test('works as the README has it', async () => {
    const readme = await readFile(`${ROOT}README.md`, 'utf8')
    const [, page] = /```html\n([\s\S]+?)```/.exec(readme) ?? []
    if (page === undefined) throw new Error('the README has no page')
    expect(page).toContain('ws://127.0.0.1:8080/mqtt')
    pages.set('page.html', page.replace('ws://127.0.0.1:8080/mqtt', broker.webSocketUrl))
    const subscribed = once(broker.broker, 'subscribe')
    await browser.visit(`${site}/page.html`)
    await subscribed
    await publish('room/kitchen/temperature', '21.5')
    await browser.until(`document.querySelectorAll('#messages li').length === 1`)
    expect(await browser.evaluate(`document.querySelector('#messages').textContent`)).toBe(
      'room/kitchen/temperature 21.5',
    )
    const pressed = once(broker.broker, 'publish')
    await browser.evaluate(`document.querySelector('#publish').click()`)
    expect((await pressed)[0]).toMatchObject({ topic: 'room/browser/button', payload: Buffer.from('pressed') })
  })
})
