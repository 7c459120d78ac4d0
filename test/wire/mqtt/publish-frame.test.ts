import { describe, expect, it } from 'vitest'
import { EMPTY, Message } from '../../../src/message/message.ts'
import type { QoS } from '../../../src/message/qos.ts'
import {
  encodePublish,
  type PublishLayout,
  publishFrame,
  publishFrameBytes,
  seedFrame,
  writePublishFrame,
} from '../../../src/wire/mqtt/publish-frame.ts'
import { bytes } from './notation.ts'

const userProperty = bytes('26 "k" "v"')

describe('the frame that subscribers share', () => {
  it('is encoded once for each layout', () => {
    const message = new Message('a/b', Buffer.from('hi'), 2, true, userProperty)
    const layouts = [true, false].flatMap((version5) =>
      ([0, 1, 2] as const).flatMap((qos) => [true, false].map((retain) => ({ version5, qos, retain }))),
    )
    const frames = layouts.map(({ version5, qos, retain }) => publishFrame(message, version5, qos, retain))
    expect(new Set(frames).size).toBe(12)
    const again = layouts.map(({ version5, qos, retain }) => publishFrame(message, version5, qos, retain))
    expect(again.every((frame, index) => frame === frames[index])).toBe(true)
  })

  const layouts: [version5: boolean, qos: QoS, retain: boolean, wire: string, packetIdOffset: number][] = [
    [false, 0, false, '30 [ "a/b" \'hi\' ]', 0],
    [false, 1, true, '33 [ "a/b" 00 00 \'hi\' ]', 7],
    [true, 0, true, '31 [ "a/b" [ 26 "k" "v" ] \'hi\' ]', 0],
    [true, 2, false, '34 [ "a/b" 00 00 [ 26 "k" "v" ] \'hi\' ]', 7],
  ]
  for (const [version5, qos, retain, wire, packetIdOffset] of layouts) {
    it(`is ${wire} in version ${version5 ? 5 : 3} at QoS ${qos}${retain ? ' with retain' : ''}`, () => {
      const message = new Message('a/b', Buffer.from('hi'), 2, false, userProperty)
      const frame = publishFrame(message, version5, qos, retain)
      expect(frame.bytes.toString('hex')).toBe(bytes(wire).toString('hex'))
      expect(frame.packetIdOffset).toBe(packetIdOffset)
    })
  }

  it('has the packet identifier where it says, behind a longer header and a topic outside ASCII', () => {
    const message = new Message('größe', Buffer.alloc(300), 1, false)
    const frame = publishFrame(message, false, 1, false)
    const copy = Buffer.from(frame.bytes)
    copy.writeUInt16BE(0x1234, frame.packetIdOffset)
    expect(copy.equals(bytes('32 [ "größe" 12 34 00*300 ]'))).toBe(true)
  })

  it('is the one that the publisher sent, when it is handed in', () => {
    const message = new Message('a/b', Buffer.from('hi'), 1, false)
    const came = bytes('32 [ "a/b" 00 07 \'hi\' ]')
    const seeded = seedFrame(message, false, 1, false, came, 7)
    expect(publishFrame(message, false, 1, false)).toBe(seeded)
    expect(seeded.bytes).toBe(came)
    expect(publishFrame(message, false, 0, false).bytes).not.toBe(came)
  })
})

describe('the frame for one subscriber', () => {
  const plain: PublishLayout = {
    version5: true,
    qos: 0,
    retain: false,
    dup: false,
    packetId: 0,
    topicAlias: 0,
    omitTopic: false,
    identifiers: [],
    messageExpiryIntervalSeconds: undefined,
  }
  const cases: [what: string, layout: Partial<PublishLayout>, wire: string][] = [
    ['alias and topic', { topicAlias: 9 }, '30 [ "a/b" [ 23 00 09 26 "k" "v" ] \'hi\' ]'],
    ['an alias in place of the topic', { topicAlias: 9, omitTopic: true }, '30 [ "" [ 23 00 09 26 "k" "v" ] \'hi\' ]'],
    [
      'subscription identifiers',
      { identifiers: [1, 128, 268_435_455] },
      '30 [ "a/b" [ 0b 01 0b 80 01 0b ff ff ff 7f 26 "k" "v" ] \'hi\' ]',
    ],
    ['expiry', { messageExpiryIntervalSeconds: 0xffffffff }, '30 [ "a/b" [ 02 ff*4 26 "k" "v" ] \'hi\' ]'],
    ['expiry 0', { messageExpiryIntervalSeconds: 0 }, '30 [ "a/b" [ 02 00*4 26 "k" "v" ] \'hi\' ]'],
    [
      'DUP and a packet identifier',
      { qos: 2, dup: true, packetId: 65_535 },
      '3c [ "a/b" ff ff [ 26 "k" "v" ] \'hi\' ]',
    ],
    [
      'nothing of version 5 below it',
      { version5: false, topicAlias: 9, omitTopic: true, identifiers: [1], messageExpiryIntervalSeconds: 1 },
      '30 [ "a/b" \'hi\' ]',
    ],
  ]
  for (const [what, fields, wire] of cases) {
    it(`carries ${what}, and is as long as was told before`, () => {
      const message = new Message('a/b', Buffer.from('hi'), 2, false, userProperty)
      const layout = { ...plain, ...fields }
      const frame = encodePublish(message, layout)
      expect(frame.toString('hex')).toBe(bytes(wire).toString('hex'))
      expect(publishFrameBytes(message, layout)).toBe(frame.length)
      const room = Buffer.alloc(frame.length + 2, 0xee)
      writePublishFrame(message, layout, room, 1)
      expect(room.toString('hex')).toBe(`ee${frame.toString('hex')}ee`)
    })
  }

  for (const topic of ['a', 'a'.repeat(64), 'a'.repeat(65), 'ä', 'ä'.repeat(33), '\u{1f600}/€']) {
    it(`has the topic ${topic} as UTF-8`, () => {
      const frame = encodePublish(new Message(topic, Buffer.from('hi'), 0, false), { ...plain, version5: false })
      const encoded = Buffer.from(topic)
      expect(frame.subarray(2)).toEqual(Buffer.from([0, encoded.length, ...encoded, ...Buffer.from('hi')]))
    })
  }

  for (const length of [117, 118, 119, 16_373, 16_374, 16_375]) {
    it(`is as long as was told with a payload of ${length} bytes, about where the header grows`, () => {
      const message = new Message('größe', Buffer.alloc(length), 0, false)
      expect(publishFrameBytes(message, plain)).toBe(encodePublish(message, plain).length)
    })
  }

  it('cannot have a topic longer than the format holds', () => {
    const message = new Message('€'.repeat(21_846), EMPTY, 0, false)
    expect(() => encodePublish(message, plain)).toThrow(RangeError)
  })
})
