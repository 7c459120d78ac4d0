/** Tests that Debian's mosquitto 2.0.11 does not pass, by name or by `suite > name`, and why. */
export const mosquittoDifferences = new Map<string, string>([
  ['authentication data without a method (section 3.1.2.11.10) is refused', 'accepts it'],
  [
    'exactly once in MQTT 5.0 > PUBREL for an unknown id is answered with PUBCOMP (MQTT-4.3.3-11, section 3.7.2.1)',
    'answers with reason code 0',
  ],
  ['exactly once in MQTT 5.0 > PUBREL twice is answered twice', 'answers with reason code 0'],
  ['PUBREC for an unknown id is answered with PUBREL 0x92 (section 3.6.2.1)', 'answers with reason code 0'],
  ['a publisher of version 5 is told so (section 3.4.2.1)', 'does not tell (the standard says MAY)'],
  [
    'messages for an offline session of MQTT 5.0 > come once to overlapping subscriptions',
    'delivers one copy for each subscription in version 5 (the standard allows both)',
  ],
  ['exceeded by one byte ends the connection (MQTT-3.2.2-15)', 'does not count the fixed header'],
  ...['MQTT 3.1', 'MQTT 3.1.1', 'MQTT 5.0'].map(
    (name) =>
      [
        `overlapping subscriptions of ${name} > bring one copy with the highest QoS (MQTT-3.3.4-2)`,
        'delivers by the first subscription it finds',
      ] as const,
  ),
  ['bring all identifiers in one copy (MQTT-3.3.4-3, MQTT-3.3.4-4)', 'delivers a copy for each subscription'],
  ['are retained as published when one of them asks for it', 'delivers a copy for each subscription'],
  ['is never exceeded by messages of QoS 1 (MQTT-3.3.4-9)', 'exceeds it after the first acknowledgement'],
  ['is never exceeded by messages of QoS 2 (MQTT-3.3.4-9)', 'exceeds it after the first acknowledgement'],
  ['holds for what is redelivered after a reconnect with a smaller one', 'redelivers everything at once'],
  ['holds for retained messages and for the queue of an offline session', 'exceeds it after the first acknowledgement'],
  ['exceeded ends the connection with 0x93 (MQTT-3.3.4-8)', 'accepts one more'],
  ['is not counted twice by a repeated PUBLISH of one packet id', 'counts it twice'],
  [
    'lets a message of just that size through, a larger one is left out (MQTT-3.1.2-24, MQTT-3.1.2-25)',
    'does not count the fixed header',
  ],
  ['leaves out a message of QoS 1 as if it were delivered (MQTT-3.1.2-25)', 'stops delivering'],
  ['leaves out a message of QoS 2 as if it were delivered (MQTT-3.1.2-25)', 'stops delivering'],
  ['is not sent to a shared subscription (section 4.8.2)', 'sends it'],
  ['is published after a protocol error', 'forgets the will at a second CONNECT'],
  ['is published after DISCONNECT with an error', 'publishes it after reason 0x04 only'],
  ['is cut short by a clean start, which ends the session (MQTT-3.1.2-8)', 'forgets the will'],
  ['means nothing when the session ends with the connection', 'waits for the delay all the same'],
])
