import type { ConnectPacket as AedesConnectPacket } from 'aedes'
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
