import { randomBytes } from 'node:crypto'

/**
 * Topic of a publisher's message in a slot of its ring. Within a run all are equally long, so that every frame is too.
 *
 * @param {number} publisher
 * @param {number} slot
 * @param {number} topics how many topics the publisher goes through, at most 10
 */
export function topicOf(publisher, slot, topics) {
  const own = `bench/${String(publisher).padStart(4, '0')}`
  return topics === 1 ? own : `${own}/${slot % topics}`
}

/** What a subscriber of one publisher, or of all, subscribes to. @param {number | 'all'} publisher @param {number} topics */
export function filterOf(publisher, topics) {
  const level = publisher === 'all' ? 'bench/+' : topicOf(publisher, 0, 1)
  return topics === 1 ? level : `${level}/+`
}

/** Where things are in a payload: u32 publisher, u32 serial number, f64 time of sending (ms), then filler. */
export const at = { publisher: 0, serial: 4, sentMs: 8, filler: 16 }

export const packet = {
  connack: 0x20,
  puback: 0x40,
  pubrec: 0x50,
  pubrel: 0x62,
  pubcomp: 0x70,
  suback: 0x90,
}

/**
 * The one shape that all PUBLISH frames of a run have, sent and received (MQTT 3.1.1, section 3.3).
 *
 * @typedef {object} Layout
 * @property {number} qos
 * @property {number} topics topics that each publisher goes through
 * @property {number[]} header first byte and remaining length, as on the wire
 * @property {number} idAt offset of the packet identifier; meaningless at QoS 0
 * @property {number} payloadAt
 * @property {number} stride bytes of a whole frame
 *
 * @param {number} qos
 * @param {number} payloadBytes at least 16
 * @param {number} topics
 * @returns {Layout}
 */
export function publishLayout(qos, payloadBytes, topics) {
  const topicBytes = topicOf(0, 0, topics).length
  const body = 2 + topicBytes + (qos > 0 ? 2 : 0) + payloadBytes
  const header = [0x30 | (qos << 1), ...variableInteger(body)]
  const idAt = header.length + 2 + topicBytes
  return { qos, topics, header, idAt, payloadAt: idAt + (qos > 0 ? 2 : 0), stride: header.length + body }
}

/**
 * `slots` frames in a row. Slot n has packet identifier n + 1 for good; serial and time are written when it is sent.
 *
 * @param {Layout} layout
 * @param {number} publisher
 * @param {number} slots
 */
export function publishFrames(layout, publisher, slots) {
  // Not all the same: a store that compresses would look smaller and faster than it is.
  const bytes = randomBytes(layout.stride * slots)
  for (let slot = 0; slot < slots; slot++) {
    const frame = bytes.subarray(slot * layout.stride, (slot + 1) * layout.stride)
    const topic = topicOf(publisher, slot, layout.topics)
    frame.set(layout.header)
    frame.writeUInt16BE(topic.length, layout.header.length)
    frame.write(topic, layout.header.length + 2)
    if (layout.qos > 0) frame.writeUInt16BE(slot + 1, layout.idAt)
    frame.writeUInt32LE(publisher, layout.payloadAt + at.publisher)
  }
  return bytes
}

/** @param {string} clientId @param {boolean} clean */
export function connectFrame(clientId, clean) {
  const keepAliveSeconds = 0
  return frame(0x10, [text('MQTT'), Buffer.from([4, clean ? 2 : 0, 0, keepAliveSeconds]), text(clientId)])
}

/** MQTT 5.0, with a Receive Maximum. @param {string} clientId @param {number} prefetch */
export function prefetchingConnectFrame(clientId, prefetch) {
  const receiveMaximum = [3, 0x21, prefetch >> 8, prefetch & 255]
  return frame(0x10, [text('MQTT'), Buffer.from([5, 2, 0, 0, ...receiveMaximum]), text(clientId)])
}

/** @param {string} filter @param {number} qos @param {4 | 5} version */
export const subscribeFrame = (filter, qos, version = 4) =>
  frame(0x82, [Buffer.from(version === 5 ? [0, 1, 0] : [0, 1]), text(filter), Buffer.from([qos])])

/** PUBLISH at QoS 1. @param {string} topic @param {string} payload @param {number} id @param {boolean} retain */
export const publishFrame = (topic, payload, id, retain) =>
  frame(0x32 | (retain ? 1 : 0), [text(topic), Buffer.from([id >> 8, id & 255]), Buffer.from(payload)])

export const disconnectFrame = Buffer.from([0xe0, 0])

/** @param {number} first @param {Buffer[]} parts */
function frame(first, parts) {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([first, ...variableInteger(body.length)]), body])
}

/** @param {string} value */
function text(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

/** @param {number} value */
function variableInteger(value) {
  const bytes = []
  for (let rest = value; bytes.length === 0 || rest > 0; rest >>>= 7) bytes.push((rest & 127) | (rest > 127 ? 128 : 0))
  return bytes
}
