import { publish, type WireCase } from './wire-case.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

export const publishCases: WireCase[] = [
  ...([3, 4] as const).flatMap((version): WireCase[] => [
    accept(version, 'QoS 0', '3.3.1.2', '30 [ "a/b" \'hi\' ]', publish({ payload: Buffer.from('hi') })),
    accept(version, 'an empty payload', '3.3.3', '31 [ "a/b" ]', publish({ retain: true })),
    accept(
      version,
      'QoS 1 with DUP',
      '3.3.1.1',
      '3a [ "a/b" 12 34 ]',
      publish({ dup: true, qos: 1, packetId: 0x1234 }),
    ),
    accept(
      version,
      'QoS 2',
      '3.3.1.2',
      '34 [ "a/b" ff ff 00 ]',
      publish({ qos: 2, packetId: 65535, payload: hex('00') }),
    ),
    refuse(version, 'QoS 3', 'MQTT-3.3.1-4', '36 [ "a/b" 00 01 ]', 0x81),
    refuse(version, 'packet identifier 0', 'MQTT-2.2.1-3', '32 [ "a/b" 00 00 ]', 0x82),
    refuse(version, 'no packet identifier at QoS 1', 'MQTT-2.2.1-2', '32 [ "a/b" ]', 0x81),
    refuse(version, 'half a packet identifier', 'MQTT-2.2.1-2', '32 [ "a/b" 01 ]', 0x81),
    refuse(version, 'an empty topic', 'MQTT-4.7.3-1', '30 [ "" \'x\' ]', 0x82),
    refuse(version, '+ in the topic', 'MQTT-3.3.2-2', '30 [ "a/+" ]', 0x90),
    refuse(version, '# in the topic', 'MQTT-3.3.2-2', '30 [ "#" ]', 0x90),
    refuse(version, 'U+0000 in the topic', 'MQTT-4.7.3-2', '30 [ 00 03 61 00 62 ]', 0x81),
    refuse(version, 'an empty body', '3.3.2', '30 [ ]', 0x81),
    refuse(version, 'half a topic length', '3.3.2', '30 [ 00 ]', 0x81),
    refuse(version, 'a topic past the end', '1.5.4', '30 [ 00 04 61 62 63 ]', 0x81),
  ]),
  refuse(4, 'DUP at QoS 0', 'MQTT-3.3.1-2', '38 [ "a/b" ]', 0x81),
  refuse(5, 'DUP at QoS 0', 'MQTT-3.3.1-2', '38 [ "a/b" [ ] ]', 0x81),
  accept(3, 'DUP at QoS 0, which 3.1 does not forbid', '2.1 (3.1)', '38 [ "a/b" ]', publish({ dup: true })),
  accept(4, 'a topic outside ASCII', 'MQTT-3.3.2-1', '30 [ "größe/€/😀" ]', publish({ topic: 'größe/€/😀' })),
  accept(4, 'a byte order mark in the topic', 'MQTT-1.5.4-3', '30 [ "\ufeffa" ]', publish({ topic: '\ufeffa' })),
  accept(
    4,
    'the last character of Unicode',
    'MQTT-1.5.4-1',
    '30 [ 00 04 f4 8f bf bf ]',
    publish({ topic: '\u{10ffff}' }),
  ),
  accept(4, 'levels without a name', '4.7.1.1', '30 [ "/a//" ]', publish({ topic: '/a//' })),
  accept(4, 'a topic of 65,535 bytes', '4.7.3', '30 [ ff ff 61*65535 ]', publish({ topic: 'a'.repeat(65535) })),
  accept(
    4,
    'a payload of 20,000 bytes',
    '3.3.3',
    '30 [ "a/b" 78*20000 ]',
    publish({ payload: Buffer.alloc(20_000, 'x') }),
  ),
  refuse(4, 'a lone continuation byte in the topic', 'MQTT-1.5.4-1', '30 [ 00 02 61 80 ]', 0x81),
  refuse(4, 'an overlong slash in the topic', 'MQTT-1.5.4-1', '30 [ 00 02 c0 af ]', 0x81),
  refuse(4, 'an overlong form of three bytes', 'MQTT-1.5.4-1', '30 [ 00 03 e0 80 af ]', 0x81),
  refuse(4, 'U+0000 in its overlong form', 'MQTT-1.5.4-1', '30 [ 00 02 c0 80 ]', 0x81),
  refuse(4, 'a surrogate in the topic', 'MQTT-1.5.4-1', '30 [ 00 03 ed b0 80 ]', 0x81),
  refuse(4, 'a surrogate pair as six bytes', 'MQTT-1.5.4-1', '30 [ 00 06 ed a0 80 ed b0 80 ]', 0x81),
  refuse(4, 'a character past U+10FFFF', 'MQTT-1.5.4-1', '30 [ 00 04 f4 90 80 80 ]', 0x81),
  refuse(4, 'a character cut by the end of the topic', 'MQTT-1.5.4-1', '30 [ 00 02 e2 82 ac ]', 0x81),
  refuse(4, 'byte ff in the topic', 'MQTT-1.5.4-1', '30 [ 00 01 ff ]', 0x81),
  refuse(4, 'U+0000 after 200 bytes of topic', 'MQTT-1.5.4-2', '30 [ 00 ca 61*200 00 c3 ]', 0x81),

  accept(5, 'no properties', '3.3.2.3.1', '30 [ "a/b" [ ] \'hi\' ]', publish({ payload: Buffer.from('hi') })),
  accept(
    5,
    'QoS 2 without properties',
    '3.3.2.3.1',
    '35 [ "a/b" 00 07 [ ] ]',
    publish({ qos: 2, retain: true, packetId: 7 }),
  ),
  accept(
    5,
    'properties that travel on as they came, in any order',
    'MQTT-3.3.2-18',
    '30 [ "a/b" [ 26 "k" "2" 09 "d" 08 "r/t" 03 "text" 01 01 26 "k" "1" ] \'hi\' ]',
    publish({
      payload: Buffer.from('hi'),
      forwardProperties: hex('2600016b00013209000164080003722f740300047465787401012600016b000131'),
    }),
  ),
  accept(
    5,
    'expiry and alias, which do not travel on',
    '3.3.2.3',
    '30 [ "a/b" [ 02 00 00 00 3c 23 00 05 01 00 26 "k" "v" ] ]',
    publish({ messageExpiryIntervalSeconds: 60, topicAlias: 5, forwardProperties: hex('01002600016b000176') }),
  ),
  accept(
    5,
    'expiry and alias among others',
    '3.3.2.3',
    '30 [ "a/b" [ 01 00 02 00 00 00 00 26 "k" "v" 23 ff ff 03 "" ] ]',
    publish({ messageExpiryIntervalSeconds: 0, topicAlias: 65535, forwardProperties: hex('01002600016b000176030000') }),
    true,
  ),
  accept(
    5,
    'an alias in place of a topic',
    'MQTT-3.3.2-7',
    '30 [ "" [ 23 00 01 ] \'x\' ]',
    publish({ topic: '', topicAlias: 1, payload: hex('78') }),
  ),
  accept(
    5,
    'an empty user property',
    '3.3.2.3.7',
    '30 [ "a/b" [ 26 "" "" ] ]',
    publish({ forwardProperties: hex('2600000000') }),
  ),
  refuse(5, 'neither topic nor alias', '3.3.2.1', '30 [ "" [ ] ]', 0x82),
  refuse(5, 'properties, but neither topic nor alias', '3.3.2.1', '30 [ "" [ 01 01 ] ]', 0x82),
  refuse(5, 'topic alias 0', 'MQTT-3.3.2-8', '30 [ "a/b" [ 23 00 00 ] ]', 0x94),
  refuse(5, 'topic alias twice', '3.3.2.3.4', '30 [ "a/b" [ 23 00 01 23 00 02 ] ]', 0x82),
  refuse(5, 'half a topic alias', '2.2.2.1', '30 [ "a/b" [ 23 00 ] 01 ]', 0x81),
  refuse(5, 'payload format 2', '3.3.2.3.2', '30 [ "a/b" [ 01 02 ] ]', 0x82),
  refuse(5, 'payload format twice', '3.3.2.3.2', '30 [ "a/b" [ 01 01 01 01 ] ]', 0x82),
  refuse(5, 'payload format without a value', '2.2.2.1', '30 [ "a/b" [ 01 ] 01 ]', 0x81),
  refuse(5, 'message expiry twice', '3.3.2.3.3', '30 [ "a/b" [ 02 00*4 02 00*4 ] ]', 0x82),
  refuse(5, 'a message expiry past its list', '2.2.2.1', '30 [ "a/b" [ 02 00 00 00 ] 01 ]', 0x81),
  refuse(5, 'content type twice', '3.3.2.3.9', '30 [ "a/b" [ 03 "a" 03 "b" ] ]', 0x82),
  refuse(5, 'response topic twice', '3.3.2.3.5', '30 [ "a/b" [ 08 "a" 08 "b" ] ]', 0x82),
  refuse(5, 'a response topic with +', 'MQTT-3.3.2-14', '30 [ "a/b" [ 08 "r/+" ] ]', 0x82),
  refuse(5, 'a response topic with #', 'MQTT-3.3.2-14', '30 [ "a/b" [ 08 "#" ] ]', 0x82),
  refuse(5, 'U+0000 in a response topic', 'MQTT-3.3.2-13', '30 [ "a/b" [ 08 00 01 00 ] ]', 0x81),
  refuse(5, 'correlation data twice', '3.3.2.3.6', '30 [ "a/b" [ 09 "a" 09 "b" ] ]', 0x82),
  refuse(5, 'correlation data past its list', '2.2.2.1', '30 [ "a/b" [ 09 00 05 61 ] 61*9 ]', 0x81),
  refuse(5, 'a content type that is not UTF-8', 'MQTT-3.3.2-19', '30 [ "a/b" [ 03 00 01 ff ] ]', 0x81),
  refuse(5, 'a user property that is not UTF-8', 'MQTT-1.5.4-1', '30 [ "a/b" [ 26 "k" 00 01 80 ] ]', 0x81),
  refuse(5, 'a user property without a value', '3.3.2.3.7', '30 [ "a/b" [ 26 "k" ] "v" ]', 0x81),
  refuse(5, 'a subscription identifier from a client', 'MQTT-3.3.4-6', '30 [ "a/b" [ 0b 01 ] ]', 0x82),
  refuse(5, 'a property of CONNECT', '2.2.2.2', '30 [ "a/b" [ 11 00 00 00 01 ] ]', 0x81),
  refuse(5, 'will delay', '2.2.2.2', '30 [ "a/b" [ 18 00 00 00 01 ] ]', 0x81),
  refuse(5, 'a property that does not exist', '2.2.2.2', '30 [ "a/b" [ 00 ] ]', 0x81),
  refuse(5, 'an identifier of two bytes', '2.2.2.2', '30 [ "a/b" [ 81 00 ] ]', 0x81),
  refuse(5, 'no length of properties', 'MQTT-2.2.2-1', '30 [ "a/b" ]', 0x81),
  refuse(5, 'properties past the end', '2.2.2.1', '30 [ "a/b" 05 01 01 ]', 0x81),
  refuse(5, 'a length of properties with more bytes than it needs', 'MQTT-1.5.5-1', '30 [ "a/b" 82 00 01 01 ]', 0x81),
  refuse(5, 'a length of properties that does not end', '1.5.5', '30 [ "a/b" ff ff ff ff 7f ]', 0x81),
  refuse(5, 'a length of properties cut by the end', '1.5.5', '30 [ "a/b" 80 ]', 0x81),

  fromBroker('one subscription identifier', '30 [ "a/b" [ 0b 80 01 ] ]', publish({ subscriptionIdentifiers: [128] })),
  fromBroker(
    'the largest subscription identifier',
    '30 [ "a/b" [ 0b ff ff ff 7f ] ]',
    publish({ subscriptionIdentifiers: [268435455] }),
  ),
  fromBroker(
    'several subscription identifiers',
    '30 [ "a/b" [ 0b 01 0b 02 26 "k" "v" ] ]',
    publish({ subscriptionIdentifiers: [1, 2], forwardProperties: hex('2600016b000176') }),
  ),
  { ...refuse(5, 'subscription identifier 0', '3.3.2.3.8', '30 [ "a/b" [ 0b 00 ] ]', 0x82), from: 'broker' },
  {
    ...refuse(5, 'a subscription identifier of five bytes', '1.5.5', '30 [ "a/b" [ 0b 80*4 01 ] ]', 0x81),
    from: 'broker',
  },
  {
    ...refuse(5, 'a subscription identifier past its list', '1.5.5', '30 [ "a/b" [ 0b 80 ] 01 ]', 0x81),
    from: 'broker',
  },
]

function accept(
  version: 3 | 4 | 5,
  name: string,
  requirement: string,
  wire: string,
  packet: WireCase['packet'] & object,
  otherForm?: true,
): WireCase {
  return { name: `PUBLISH: ${name}`, requirement, version, wire, packet, ...(otherForm && { otherForm }) }
}

function refuse(version: 3 | 4 | 5, name: string, requirement: string, wire: string, code: number): WireCase {
  return { name: `PUBLISH: ${name}`, requirement, version, wire, code }
}

function fromBroker(name: string, wire: string, packet: WireCase['packet'] & object): WireCase {
  return { name: `PUBLISH: ${name}`, requirement: 'MQTT-3.3.4-3', version: 5, from: 'broker', wire, packet }
}
