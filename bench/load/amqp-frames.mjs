/** Class and method of those methods of AMQP 0-9-1 that a consumer needs (section 1.3 of the specification's part on methods). */
export const method = {
  connectionStart: 0x000a000a,
  connectionStartOk: 0x000a000b,
  connectionTune: 0x000a001e,
  connectionTuneOk: 0x000a001f,
  connectionOpen: 0x000a0028,
  connectionOpenOk: 0x000a0029,
  connectionClose: 0x000a0032,
  channelOpen: 0x0014000a,
  channelOpenOk: 0x0014000b,
  channelClose: 0x00140028,
  basicQos: 0x003c000a,
  basicQosOk: 0x003c000b,
  basicConsume: 0x003c0014,
  basicConsumeOk: 0x003c0015,
  basicDeliver: 0x003c003c,
  basicAck: 0x003c0050,
}

/** Types of frames. */
export const kind = { method: 1, header: 2, body: 3 }

/** What is around a frame's payload: type, channel and size before it, one octet after it. */
export const before = 7
export const around = 8

export const protocolHeader = Buffer.from('AMQP\0\0\x09\x01', 'latin1')

/** @param {string} user name and password alike */
export const startOk = (user) =>
  frame(0, method.connectionStartOk, [u32(0), shortText('PLAIN'), longText(`\0${user}\0${user}`), shortText('en_US')])

/** One channel, frames of 128 KiB, no heartbeats. */
export const tuneOk = frame(0, method.connectionTuneOk, [u16(1), u32(128 * 1024), u16(0)])

export const openVirtualHost = frame(0, method.connectionOpen, [shortText('/'), Buffer.from([0, 0])])

export const openChannel = frame(1, method.channelOpen, [Buffer.from([0])])

/** @param {number} prefetch */
export const qos = (prefetch) => frame(1, method.basicQos, [u32(0), u16(prefetch), Buffer.from([0])])

/** Each message has to be acknowledged. @param {string} queue */
export const consume = (queue) =>
  frame(1, method.basicConsume, [u16(0), shortText(queue), shortText('c'), Buffer.from([0]), u32(0)])

export const closeConnection = frame(0, method.connectionClose, [u16(200), shortText(''), u32(0)])

/** `basic.ack` with a delivery tag of 0, for that message alone. */
export const acknowledgement = frame(1, method.basicAck, [u32(0), u32(0), Buffer.from([0])])
/** Where its delivery tag is: eight octets. */
export const tagAt = before + 4

/** @param {number} channel @param {number} id @param {Buffer[]} fields */
function frame(channel, id, fields) {
  const payload = Buffer.concat([u32(id), ...fields])
  return Buffer.concat([Buffer.from([kind.method]), u16(channel), u32(payload.length), payload, Buffer.from([0xce])])
}

/** @param {number} value */
function u16(value) {
  return Buffer.from([value >> 8, value & 255])
}

/** @param {number} value */
function u32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** @param {string} value */
function shortText(value) {
  return Buffer.concat([Buffer.from([Buffer.byteLength(value)]), Buffer.from(value)])
}

/** @param {string} value */
function longText(value) {
  return Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)])
}
