import net from 'node:net'
import { connectFrame, packet } from './frames.mjs'
import { SimpleClient } from './simple-client.mjs'

const clientId = 'slow-link'
const everyMs = 100

/** Fills the session of the client with the slow link while it is away. @param {{ port: number, messages: number, payloadBytes: number }} job */
export async function hoard(job) {
  const client = new SimpleClient(clientId)
  await client.open(job, false)
  await client.subscribe('slow/+', 1)
  await client.close()
  const sender = new SimpleClient('slow-sender')
  await sender.open(job)
  const filler = 'x'.repeat(job.payloadBytes - 8)
  for (let n = 0; n < job.messages; n++) await sender.publish('slow/link', `${String(n).padStart(8, '0')}${filler}`)
  await sender.settled()
  await sender.close()
  return { messages: job.messages }
}

/**
 * The client with the slow link: reads so many bytes a second and acknowledges what it has read, until it is told to
 * end.
 *
 * @param {{ port: number, bytesPerSecond: number }} job
 */
export async function slowLink(job) {
  const socket = net.connect({ host: '127.0.0.1', port: job.port, noDelay: true })
  socket.on('error', () => {})
  socket.pause()
  socket.write(connectFrame(clientId, false))
  const startMs = performance.now()
  let readBytes = 0
  let messages = 0
  let rest = Buffer.alloc(0)
  let lost = false
  socket.on('close', () => {
    lost = true
  })
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) / 1000) * job.bytesPerSecond) - readBytes
    // Fewer when there are fewer: a paused socket gives exactly what is asked for, or nothing.
    const chunk = due > 0 ? (socket.read(Math.min(due, socket.readableLength || due)) ?? undefined) : undefined
    if (!chunk) return
    readBytes += chunk.length
    rest = Buffer.concat([rest, chunk])
    for (let frame = takeFrame(rest); frame !== undefined; frame = takeFrame(rest)) {
      rest = rest.subarray(frame.end)
      if (frame.first >> 4 !== 3) continue
      messages++
      socket.write(Buffer.from([packet.puback, 2, frame.id >> 8, frame.id & 255]))
    }
  }, everyMs)
  await new Promise((done) => process.once('SIGTERM', done))
  clearInterval(timer)
  const result = { readBytes, messages, seconds: (performance.now() - startMs) / 1000, lost }
  socket.destroy()
  return result
}

/** @param {Buffer} bytes @returns {{ first: number, id: number, end: number } | undefined} */
function takeFrame(bytes) {
  let at = 1
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]
    if (byte === undefined) return undefined
    length |= (byte & 127) << shift
    if (byte < 128) break
  }
  if (at + length > bytes.length) return undefined
  const first = bytes[0] ?? 0
  const id = first >> 4 === 3 ? bytes.readUInt16BE(at + 2 + bytes.readUInt16BE(at)) : 0
  return { first, id, end: at + length }
}
