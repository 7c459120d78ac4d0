import type { ConnectPacket as AedesConnectPacket } from 'aedes'
import { EMPTY } from '../../message/message.ts'
import type { ConnectPacket } from '../../wire/mqtt/packet.ts'

/** The CONNECT that the `preConnect` hook sees, in the shape of mqtt-packet. */
export function aedesConnect(packet: ConnectPacket): AedesConnectPacket {
  const { version, will, username, password } = packet
  const seen: Record<string, unknown> = {
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    clean: packet.cleanStart,
    clientId: packet.clientId,
    keepalive: packet.keepAliveSeconds,
  }
  if (packet.bridge) seen['bridgeMode'] = true
  if (username !== undefined) seen['username'] = username
  if (password !== undefined) seen['password'] = password
  if (will !== undefined) {
    const { topic, payload, qos, retain } = will
    seen['will'] = { topic, payload, qos, retain }
  }
  if (version === 5) seen['properties'] = packet.properties
  return seen as unknown as AedesConnectPacket
}

/** The CONNECT after the `preConnect` hook: aedes lets it change who connects, and with what will. */
export function afterPreConnect(packet: ConnectPacket, seen: AedesConnectPacket): ConnectPacket {
  const { clientId, clean, keepalive, username, password, will } = seen
  return {
    ...packet,
    clientId: clientId ?? '',
    cleanStart: clean ?? packet.cleanStart,
    keepAliveSeconds: keepalive ?? packet.keepAliveSeconds,
    username,
    password: typeof password === 'string' ? Buffer.from(password) : password,
    will: will === undefined ? undefined : changedWill(packet.will, will),
  }
}

function changedWill(
  before: ConnectPacket['will'],
  seen: NonNullable<AedesConnectPacket['will']>,
): ConnectPacket['will'] {
  const { topic, payload, qos, retain } = seen
  return {
    forwardProperties: before?.forwardProperties ?? EMPTY,
    willDelayIntervalSeconds: before?.willDelayIntervalSeconds ?? 0,
    messageExpiryIntervalSeconds: before?.messageExpiryIntervalSeconds,
    topic,
    payload: Buffer.from(payload),
    qos: qos ?? 0,
    retain: retain ?? false,
  }
}
