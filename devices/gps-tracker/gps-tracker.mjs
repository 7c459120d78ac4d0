import { link, onSignal, switchOff } from '../link.mjs'
import { readOptions } from '../options.mjs'
import { Backlog } from './backlog.mjs'
import { position } from './route.mjs'

const options = readOptions({
  command: 'gps-tracker',
  summary: 'A GPS tracker: takes fixes along a route, keeps them while it is offline and sends all of them in order.',
  topics: [
    'tracker/ID/fix      out: {"sequence": 7, "at": "…", "latitude": 46.9, "longitude": 7.4, …}',
    'tracker/ID/status   out, retained: online or offline (its last will)',
  ],
  id: 'tracker-1',
  intervalSeconds: 1,
})
const fixTopic = `tracker/${options.id}/fix`
const statusTopic = `tracker/${options.id}/status`

const { client, say } = link(options, statusTopic, { protocolVersion: 4 })
/** @type {Backlog<{ sequence: number, at: string } & ReturnType<typeof position>>} */
const backlog = new Backlog(10_000)
let taken = 0
let sent = 0
let sending = false
let stopping = false

const isComplete = () => options.count > 0 && taken === options.count

/** One fix at a time, the next when the broker has acknowledged it: the order holds whatever happens to the connection. */
async function send() {
  if (sending) return
  sending = true
  if (backlog.size > 1) say(`sending ${backlog.size} fixes that were kept`)
  for (let fix = backlog.oldest(); fix && client.connected && !stopping; fix = backlog.oldest()) {
    try {
      await client.publishAsync(fixTopic, JSON.stringify(fix), { qos: 1 })
    } catch {
      break
    }
    backlog.remove(fix)
    sent++
  }
  sending = false
  if (isComplete() && backlog.size === 0) stop()
}

const timer = setInterval(() => {
  const fix = { sequence: taken, at: new Date().toISOString(), ...position((taken * options.intervalMs) / 1000) }
  taken++
  backlog.add(fix)
  if (isComplete()) clearInterval(timer)
  if (client.connected) void send()
  else say(`offline, ${backlog.size} fixes kept${backlog.dropped > 0 ? `, ${backlog.dropped} lost: memory full` : ''}`)
}, options.intervalMs)

client.on('connect', () => void send())

function stop() {
  if (stopping) return
  stopping = true
  clearInterval(timer)
  const unsent = backlog.size > 0 ? `, ${backlog.size} not sent` : ''
  say(`switched off after ${sent} fixes${unsent}`)
  void switchOff(client, statusTopic)
}
onSignal(stop)
