// Not a broker: it answers handshakes and copies whole frames from publishers to subscribers without looking into them.
// What the generator reaches against it is an upper bound of what it can show about any broker.
import net from 'node:net'
import { connectFrame, publishLayout } from './frames.mjs'

const { qos, payloadBytes, topics, audience } = JSON.parse(process.argv[2] ?? '{}')
const layout = publishLayout(qos, payloadBytes, topics)
/** @type {net.Socket[]} */
const subscribers = []

const server = net.createServer({ noDelay: true }, (socket) => {
  let number = -1
  let publishing = false
  let carried = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    let bytes = carried.length > 0 ? Buffer.concat([carried, chunk]) : chunk
    while (!publishing && bytes.length >= 2 && bytes.length >= 2 + (bytes[1] ?? 0)) {
      const [type, length] = [bytes[0] ?? 0, bytes[1] ?? 0]
      if (type === 0x10) {
        publishing = bytes.includes('bench-pub-')
        number = publishing ? Number(/bench-pub-(\d+)/.exec(bytes.toString('latin1'))?.[1]) : -1
        socket.write(Buffer.from([0x20, 2, 0, 0]))
      } else if (type === 0x82) {
        subscribers.push(socket)
        socket.write(Buffer.from([0x90, 3, 0, 1, qos]))
      }
      bytes = bytes.subarray(2 + length)
    }
    // A subscriber's acknowledgements go nowhere.
    if (!publishing) return
    const whole = bytes.length - (bytes.length % layout.stride)
    carried = bytes.subarray(whole)
    if (whole === 0) return
    if (qos === 1) socket.write(acknowledgements(bytes, whole))
    const frames = bytes.subarray(0, whole)
    if (audience === 'own') subscribers[number]?.write(frames)
    else for (const subscriber of subscribers) subscriber.write(frames)
  })
})

/** @param {Buffer} bytes @param {number} end */
function acknowledgements(bytes, end) {
  const acks = Buffer.allocUnsafe((end / layout.stride) * 4)
  for (let at = 0, ack = 0; at < end; at += layout.stride, ack += 4) {
    acks[ack] = 0x40
    acks[ack + 1] = 2
    acks[ack + 2] = bytes[at + layout.idAt] ?? 0
    acks[ack + 3] = bytes[at + layout.idAt + 1] ?? 0
  }
  return acks
}

if (connectFrame('bench-pub-9999', true).length > 127) throw new Error('a CONNECT has to have one length byte here')
server.listen(0, '127.0.0.1', () => {
  console.log(`listening mqtt://127.0.0.1:${/** @type {net.AddressInfo} */ (server.address()).port}`)
})
process.once('SIGTERM', () => process.exit(0))
