import { link, onSignal, switchOff } from '../link.mjs'
import { readOptions } from '../options.mjs'
import { Room } from './room.mjs'

const options = readOptions({
  command: 'thermostat',
  summary: 'A thermostat: reports its state, and takes commands that set the target temperature.',
  topics: [
    'thermostat/ID/state        out, retained: {"temperature": 20.1, "target": 21, "heating": true}',
    'thermostat/ID/status       out, retained: online or offline (its last will)',
    'thermostat/ID/target/set   in: 21.5 or {"target": 21.5}',
    'thermostat/ID/target/ack   out: what came of a command, or on the response topic that it names (MQTT 5)',
  ],
  id: 'thermostat-1',
  intervalSeconds: 5,
})
const own = (/** @type {string} */ topic) => `thermostat/${options.id}/${topic}`

// The session is kept for an hour, so a command that is sent while the board is away reaches it when it is back.
const { client, say } = link(options, own('status'), {
  protocolVersion: 5,
  clean: false,
  properties: { sessionExpiryInterval: 3600 },
})
const room = new Room()
let reports = 0

function report() {
  return client.publishAsync(own('state'), JSON.stringify(room.report()), { qos: 1, retain: true })
}

client.on('connect', () => {
  client.subscribe(own('target/set'), { qos: 1 }, (error) => {
    if (error) say(`cannot subscribe to ${own('target/set')}: ${error.message}`)
  })
})

client.on('message', (_topic, payload, packet) => {
  const result = room.command(payload)
  say(result.accepted ? `target is now ${result.target}` : `refused a command: ${result.error}`)
  const { responseTopic, correlationData } = packet.properties ?? {}
  if (result.accepted) report().catch(() => {})
  client.publish(responseTopic ?? own('target/ack'), JSON.stringify(result), {
    qos: 1,
    ...(correlationData ? { properties: { correlationData } } : {}),
  })
})

async function tick() {
  room.pass(options.intervalMs / 1000)
  // What the room was like while nobody could hear it is of no interest: only the latest state counts.
  if (!client.connected) return
  try {
    await report()
  } catch {
    return
  }
  reports++
  if (reports === options.count) stop()
}
const timer = setInterval(() => void tick(), options.intervalMs)

let stopping = false
function stop() {
  if (stopping) return
  stopping = true
  clearInterval(timer)
  say(`switched off after ${reports} reports`)
  void switchOff(client, own('status'))
}
onSignal(stop)
