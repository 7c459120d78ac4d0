/** Everything the broker counts, since it started. Read by `$SYS`, later by the metrics. */
export class Counters {
  bytesReceived = 0
  bytesSent = 0
  /** Packets of all types. */
  packetsReceived = 0
  packetsSent = 0
  publishReceived = 0
  publishSent = 0
  publishBytesReceived = 0
  publishBytesSent = 0
  /** QoS 0 messages a slow subscriber did not get, and messages that did not fit into a bounded queue. */
  publishDropped = 0
  /** Messages refused: not permitted, or a queue refused them. */
  publishRefused = 0
  messagesExpired = 0
  connectionsOpened = 0
  connectionsRefused = 0
  /** Connections that waited because too many came at once. */
  connectionsDelayed = 0
  /** Connections closed because of a malformed or forbidden packet. */
  protocolErrors = 0
  keepAliveTimeouts = 0
  hookFailures = 0
  sessionsExpired = 0
  clientsConnectedMax = 0
  storeFailures = 0
}
