import mqtt from 'mqtt'

const retryMs = 1000

/**
 * A connection that comes back by itself and says on standard output when it is lost and found. The board's status topic
 * holds `online` or `offline`, retained: set here, by `switchOff`, or by the broker as the last will.
 *
 * @param {import('./options.mjs').Options} options
 * @param {string} statusTopic
 * @param {import('mqtt').IClientOptions} extra
 */
export function link({ host, port, id }, statusTopic, extra) {
  const say = (/** @type {string} */ line) => console.log(`${id}: ${line}`)
  const client = mqtt.connect({
    host,
    port,
    protocol: 'mqtt',
    clientId: id,
    reconnectPeriod: retryMs,
    reconnectOnConnackError: true,
    connectTimeout: 10_000,
    keepalive: 30,
    resubscribe: false,
    will: { topic: statusTopic, payload: Buffer.from('offline'), qos: 1, retain: true },
    ...extra,
  })
  let reachable = true
  let reason = 'the connection was closed'
  client.on('error', (error) => {
    reason = error.message || /** @type {NodeJS.ErrnoException} */ (error).code || 'unknown error'
  })
  client.on('close', () => {
    if (reachable && !client.disconnecting)
      say(`no connection to ${host}:${port} (${reason}), trying again every second`)
    reachable = false
    reason = 'the connection was closed'
  })
  client.on('connect', () => {
    reachable = true
    say(`connected to ${host}:${port}`)
    client.publish(statusTopic, 'online', { qos: 1, retain: true })
  })
  return { client, say }
}

/**
 * Says goodbye on the status topic, which makes no use of the will, and disconnects; gives up after two seconds.
 *
 * @param {import('mqtt').MqttClient} client
 * @param {string} statusTopic
 */
export async function switchOff(client, statusTopic) {
  const limit = setTimeout(() => process.exit(0), 2000)
  if (client.connected) await client.publishAsync(statusTopic, 'offline', { qos: 1, retain: true }).catch(() => {})
  await client.endAsync(!client.connected).catch(() => {})
  clearTimeout(limit)
}

/** Calls `stop` at Ctrl-C or SIGTERM; a second one ends the process at once. @param {() => void} stop */
export function onSignal(stop) {
  let asked = false
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
    process.on(signal, () => {
      if (asked) process.exit(1)
      asked = true
      stop()
    })
  }
}
