import type { ProtocolVersion } from './packet.ts'
import { ReasonCode, reasonName } from './reason-codes.ts'

/**
 * The peer broke the protocol. `reasonCode` is what DISCONNECT or CONNACK of version 5 says about it; below version 5
 * the connection is closed, unless `connackReturnCode` knows an answer to a CONNECT.
 */
export class ProtocolError extends Error {
  readonly reasonCode: number
  /** Where a CONNECT is at fault: the version it asks for, so that the answer has its form; 0: not known or not asked. */
  version: ProtocolVersion | 0 = 0

  constructor(reasonCode: number, message: string) {
    super(message)
    this.name = 'ProtocolError'
    this.reasonCode = reasonCode
  }

  /** Reason code and text in one line, for logs. */
  describe(): string {
    return `${reasonName(this.reasonCode)}: ${this.message}`
  }
}

/** Bytes that cannot be read as the packet they claim to be (MQTT 5, section 1.2, Malformed Packet). */
export function malformed(message: string): ProtocolError {
  return new ProtocolError(ReasonCode.MalformedPacket, message)
}

/** A packet that can be read, but is not allowed to say what it says (section 1.2, Protocol Error). */
export function violation(message: string): ProtocolError {
  return new ProtocolError(ReasonCode.ProtocolError, message)
}
