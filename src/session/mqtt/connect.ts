import { randomUUID } from 'node:crypto'
import type { Subscription as AedesSubscription } from 'aedes'
import type { Will as StoredWill } from '../../broker/will-record.ts'
import { Message } from '../../message/message.ts'
import { levelCount } from '../../message/topic.ts'
import type { ConnectPacket } from '../../wire/mqtt/packet.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import { aedesConnect, afterPreConnect } from './aedes-connect.ts'
import { type Acceptance, acceptanceProperties, sendRefusal } from './connack.ts'
import { ClientError } from './client-error.ts'
import type { Connection } from './connection.ts'
import { beginAuthentication } from './enhanced-authentication.ts'
import type { Session } from './session.ts'
import { OutgoingAliases } from './topic-aliases.ts'

// MQTT 3.1 counts to 23 (section 3.1 of 3.1); aedes names the limit `maxClientsIdLength`.
const VERSION_31 = 3

/**
 * CONNECT (MQTT 5, section 3.1), in the order of aedes: what can be refused without asking, `preConnect`, enhanced
 * authentication, `authenticate`, then the session is taken up and CONNACK goes out behind its commit.
 */
export function handleConnect(connection: Connection, packet: ConnectPacket): void {
  const { broker } = connection
  connection.stopTimer()
  connection.connecting = true
  connection.wireVersion = packet.version
  connection.version5 = packet.version === 5
  connection.bridge = packet.bridge
  connection.wantsProblems = packet.properties.requestProblemInformation !== 0
  connection.packetBytesMax = packet.properties.maximumPacketSize ?? Number.POSITIVE_INFINITY
  // Until CONNACK is out nothing else is read: replies keep their order, and no hook overtakes another.
  connection.receiver.hold()
  const seen = aedesConnect(packet)
  connection.ask<boolean>(
    'preConnect',
    (callback) => broker.preConnect(connection, seen, callback as never),
    (error, successful) => {
      if (error !== null || successful !== true) {
        connection.connecting = false
        if (error !== null) connection.fail(error)
        else connection.finish(ReasonCode.NotAuthorized)
        return
      }
      const changed = afterPreConnect(packet, seen)
      const refusal = whyRefused(connection, changed)
      if (refusal !== undefined) refuse(connection, refusal)
      else identified(connection, changed)
    },
  )
}

/** Session Expiry Interval that the broker grants for what a client asks. */
export function expiryWithinLimit(connection: Connection, seconds: number): number {
  return Math.min(seconds, connection.broker.config.limits.sessionExpirySecondsMax)
}

function whyRefused(connection: Connection, packet: ConnectPacket): ClientError | undefined {
  const { broker } = connection
  const { clientId, version, will } = packet
  if (broker.closed) return new ClientError(ReasonCode.ServerShuttingDown, 'the broker is shutting down')
  if (version === VERSION_31 && (clientId === '' || clientId.length > broker.maxClientsIdLength)) {
    return new ClientError(ReasonCode.ClientIdentifierNotValid, 'identifier rejected')
  }
  const { clientIdBytesMax } = broker.config.limits
  // MQTT-3.1.3-8
  if (clientId.length * 3 > clientIdBytesMax && Buffer.byteLength(clientId) > clientIdBytesMax) {
    return new ClientError(
      ReasonCode.ClientIdentifierNotValid,
      `the identifier is longer than ${clientIdBytesMax} bytes`,
    )
  }
  // MQTT-3.1.3-8 of 3.1.1: without an identifier there is nothing to find the session by.
  if (version === 4 && clientId === '' && !packet.cleanStart) {
    return new ClientError(ReasonCode.ClientIdentifierNotValid, 'identifier rejected')
  }
  // Version 5 is told the broker's own keep alive; below, refusing is the only way to say it.
  if (version !== 5 && !keepAliveFits(packet.keepAliveSeconds, keepAliveMax(connection))) {
    return new ClientError(ReasonCode.ClientIdentifierNotValid, 'keep alive limit exceeded')
  }
  if (will !== undefined) {
    const refusal = whyWillRefused(connection, will)
    if (refusal !== undefined) return refusal
  }
  if (!connection.context.sessions.hasRoomFor(clientId)) {
    return new ClientError(ReasonCode.QuotaExceeded, 'the broker keeps as many sessions as it may')
  }
  return undefined
}

function whyWillRefused(
  { broker }: Connection,
  { topic, payload, forwardProperties }: NonNullable<ConnectPacket['will']>,
): ClientError | undefined {
  const { topicBytesMax, willBytesMax } = broker.config.limits
  if (levelCount(topic) > broker.maxTopicLevels) {
    return new ClientError(ReasonCode.TopicNameInvalid, 'topic has too many levels')
  }
  const topicBytes = Buffer.byteLength(topic)
  if (topicBytes > topicBytesMax) {
    return new ClientError(ReasonCode.TopicNameInvalid, `the topic is longer than ${topicBytesMax} bytes`)
  }
  if (topicBytes + forwardProperties.length + payload.length > willBytesMax) {
    return new ClientError(ReasonCode.QuotaExceeded, `the will is larger than ${willBytesMax} bytes`)
  }
  return undefined
}

// 65,535 is no limit at all, and 0 (no keep alive) is within it; any smaller limit excludes 0.
function keepAliveFits(seconds: number, max: number): boolean {
  return max === 65_535 || (seconds > 0 && seconds <= max)
}

function keepAliveMax(connection: Connection): number {
  const { keepaliveLimit, config } = connection.broker
  const configured = config.limits.keepAliveSecondsMax
  return keepaliveLimit > 0 ? Math.min(keepaliveLimit, configured) : configured
}

function refuse(connection: Connection, error: ClientError): void {
  sendRefusal(connection, error.reasonCode, error.message)
  connection.outbox.flush()
  setImmediate(() => {
    connection.connecting = false
    connection.fail(error)
  })
}

function identified(connection: Connection, packet: ConnectPacket): void {
  const assigned = packet.clientId === ''
  connection.version = packet.version
  connection.id = assigned ? `aedes_${randomUUID()}` : packet.clientId
  connection.clean = packet.cleanStart
  const { authenticationMethod } = packet.properties
  if (authenticationMethod === undefined) {
    authenticate(connection, packet, assigned, undefined)
    return
  }
  // AUTH packets have to be read while CONNACK is still to come.
  connection.receiver.release()
  beginAuthentication(connection, packet, (data) => {
    connection.receiver.hold()
    authenticate(connection, packet, assigned, data)
  })
}

function authenticate(
  connection: Connection,
  packet: ConnectPacket,
  assigned: boolean,
  authenticationData: Buffer | undefined,
): void {
  const { broker } = connection
  connection.ask<boolean | null>(
    'authenticate',
    (callback) => broker.authenticate(connection, packet.username, packet.password, callback as never),
    (error, successful) => {
      if (broker.closed) return
      if (error === null && successful) {
        accept(connection, packet, assigned, authenticationData)
        return
      }
      refuse(connection, authenticationError(error))
    },
  )
}

const refusedReturnCodes: Record<number, [reasonCode: number, message: string]> = {
  2: [ReasonCode.ClientIdentifierNotValid, 'identifier rejected'],
  3: [ReasonCode.ServerUnavailable, 'Server unavailable'],
  4: [ReasonCode.BadUserNameOrPassword, 'bad user name or password'],
  5: [ReasonCode.NotAuthorized, 'not authorized'],
}

/** aedes: `error.returnCode` 2 to 5 says which refusal, everything else is "not authorized". */
function authenticationError(error: Error | null): ClientError {
  const returnCode = (error as { returnCode?: number } | null)?.returnCode ?? 5
  const [reasonCode, message] = refusedReturnCodes[returnCode] ?? [ReasonCode.NotAuthorized, 'not authorized']
  const refusal = new ClientError(reasonCode, error?.message || message)
  return Object.assign(refusal, { errorCode: returnCode in refusedReturnCodes ? returnCode : 5 })
}

function accept(
  connection: Connection,
  packet: ConnectPacket,
  assigned: boolean,
  authenticationData: Buffer | undefined,
): void {
  const { broker, context } = connection
  const { limits } = broker.config
  const keepAliveSeconds = connection.version5
    ? Math.min(packet.keepAliveSeconds || 65_536, keepAliveMax(connection))
    : packet.keepAliveSeconds
  const requested = packet.keepAliveSeconds === 0 && keepAliveSeconds === 65_535 ? 0 : keepAliveSeconds
  const expirySeconds = expiryOf(connection, packet)
  if (broker.store.commit.failure !== undefined && changesStore(connection, packet, expirySeconds)) {
    refuse(connection, new ClientError(ReasonCode.QuotaExceeded, 'the broker cannot store a session at present'))
    return
  }
  const will = packet.will === undefined ? undefined : storedWill(connection, packet.will, expirySeconds)
  if (will !== undefined && !broker.wills.hasRoomFor(connection.id, will)) {
    refuse(connection, new ClientError(ReasonCode.QuotaExceeded, 'there is no memory for a will at present'))
    return
  }
  const taken = context.sessions.connect(connection, packet.cleanStart, expirySeconds)
  const { session, present } = taken
  if (will !== undefined) broker.wills.put(connection.id, will)
  connection.session = session
  connection.receiver.accepted()
  connection.startKeepAlive(requested)
  const aliasMax = Math.min(packet.properties.topicAliasMaximum ?? 0, limits.topicAliasMax)
  if (aliasMax > 0) connection.aliases = new OutgoingAliases(aliasMax)
  const window = Math.min(packet.properties.receiveMaximum ?? 65_535, limits.inflightMessagesMax)
  session.outgoing.attach(connection, window)
  session.queues?.attach()
  connection.register()
  const acceptance: Acceptance = {
    sessionPresent: present,
    assignedClientId: assigned ? connection.id : undefined,
    keepAliveSeconds: requested,
    expirySeconds,
    authenticationData,
  }
  const properties = acceptanceProperties(connection, packet, acceptance)
  const bytes = connection.encode({ type: 'connack', sessionPresent: present, reasonCode: 0, properties })
  const epoch = broker.store.durability === 'memory' ? 0 : broker.store.commit.formingEpoch
  const waitsFor = will === undefined ? taken.epoch : epoch
  permitAgain(connection, session, () => {
    connection.replies.send(bytes, waitsFor, () => {
      connection.outbox.flush()
      // Whoever waits for CONNACK finds the events still to come, as in aedes.
      setImmediate(connected, connection, present)
    })
  })
}

/** Whether the store has to know of this connection before CONNACK. */
function changesStore(connection: Connection, packet: ConnectPacket, expirySeconds: number): boolean {
  const { broker, context, id } = connection
  if (expirySeconds > 0 || packet.will !== undefined) return true
  return context.sessions.get(id)?.stores === true || broker.wills.get(id) !== undefined
}

/** What a session subscribed to earlier may be forbidden by now: the hook is asked again, as in aedes. */
function permitAgain(connection: Connection, session: Session, done: () => void): void {
  const { broker } = connection
  const subscriptions = [...(session.subscriptions?.values() ?? [])]
  let open = subscriptions.length
  if (open === 0 || !broker.subscribeIsHooked) {
    done()
    return
  }
  for (const subscription of subscriptions) {
    const { requested, qos, noLocal, retainAsPublished, retainHandling } = subscription
    const request = connection.version5
      ? { topic: requested, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling }
      : { topic: requested, qos }
    connection.ask<AedesSubscription | null>(
      'authorizeSubscribe',
      (callback) => broker.authorizeSubscribe(connection, request as AedesSubscription, callback),
      (error, permission) => {
        // An error is a refusal too: it must not keep the client out, nor let it have what nobody permits.
        if (error !== null || permission === null || typeof permission !== 'object') {
          session.unsubscribe(requested)
          broker.log.warn(
            connection.logFields({ filter: requested }),
            'a subscription of the session is not permitted now',
          )
        } else if (permission.qos !== qos) session.subscribe({ ...subscription, qos: permission.qos })
        if (--open === 0) done()
      },
    )
  }
}

function connected(connection: Connection, sessionPresent: boolean): void {
  const { broker } = connection
  if (connection.closed) return
  connection.connackSent = true
  connection.connecting = false
  connection.connected = true
  broker.emit('connackSent', { cmd: 'connack', returnCode: 0, sessionPresent }, connection)
  if (broker.log.isLevelEnabled('info')) {
    broker.log.info(connection.logFields({ version: connection.version, sessionPresent }), 'client connected')
  }
  connection.session?.drained()
  broker.emit('clientReady', connection)
  connection.emit('connected')
  connection.receiver.release()
}

function expiryOf(connection: Connection, packet: ConnectPacket): number {
  if (packet.version === 5) return expiryWithinLimit(connection, packet.properties.sessionExpiryInterval ?? 0)
  return packet.cleanStart ? 0 : connection.broker.config.limits.sessionExpirySecondsMax
}

function storedWill(
  connection: Connection,
  will: NonNullable<ConnectPacket['will']>,
  expirySeconds: number,
): StoredWill {
  const { topic, payload, qos, retain, forwardProperties } = will
  return {
    message: new Message(topic, payload, qos, retain, forwardProperties, 0, connection.id).own(),
    // No delay outlives the session (MQTT 5, section 3.1.3.2.2), and this one will not be there after a crash to end it.
    delaySeconds: expirySeconds === 0 ? 0 : will.willDelayIntervalSeconds,
    expirySeconds: will.messageExpiryIntervalSeconds,
  }
}
