import { PacketType } from './packet-type.ts'

/** The whole PINGREQ (MQTT 5, section 3.12); never to be written to. */
export const PINGREQ = Buffer.from([PacketType.Pingreq << 4, 0])

/** The whole PINGRESP (section 3.13); never to be written to. */
export const PINGRESP = Buffer.from([PacketType.Pingresp << 4, 0])
