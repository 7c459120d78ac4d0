import type { AuthPacket, ConnectPacket } from '../../wire/mqtt/packet.ts'
import { ProtocolError, violation } from '../../wire/mqtt/protocol-error.ts'
import { ReasonCode } from '../../wire/mqtt/reason-codes.ts'
import { sendRefusal } from './connack.ts'
import { ClientError } from './client-error.ts'
import type { Connection } from './connection.ts'

/** The broker's part of a step: more data for the client, and whether the exchange is over. */
export interface AuthenticationStep {
  readonly done: boolean
  readonly data?: Buffer | undefined
}

/** One exchange with one client; `next` is called with each piece of data that the client sends. */
export interface AuthenticationExchange {
  next(data: Buffer | undefined, answer: (error: Error | null, step?: AuthenticationStep) => void): void
}

/**
 * An authentication method of version 5 (section 4.12), such as SCRAM. An error refuses the client; its `reasonCode`
 * (0x80 or above) is passed on where it has one.
 */
export interface EnhancedAuthenticator {
  /** As in the Authentication Method property. */
  readonly method: string
  begin(client: { readonly id: string; readonly username: string | undefined }): AuthenticationExchange
}

/** What a connection remembers of its method: re-authentication has to use the same (MQTT-4.12.1-1). */
export interface Authentication {
  readonly method: string
  readonly username: string | undefined
  exchange: AuthenticationExchange | undefined
  finished: (data: Buffer | undefined) => void
}

/** CONNECT named a method: `finished` is called once the client has proved itself. */
export function beginAuthentication(
  connection: Connection,
  packet: ConnectPacket,
  finished: (data: Buffer | undefined) => void,
): void {
  const method = packet.properties.authenticationMethod as string
  const authenticator = connection.context.authenticators.get(method)
  if (authenticator === undefined) {
    refuse(connection, new ClientError(ReasonCode.BadAuthenticationMethod, 'the authentication method is not known'))
    return
  }
  const { username } = packet
  const exchange = authenticator.begin({ id: connection.id, username })
  connection.authentication = { method, username, exchange, finished }
  connection.startAuthenticationTimer()
  step(connection, connection.authentication, packet.properties.authenticationData)
}

/** AUTH from the client: the next step, or the wish to authenticate anew. */
export function handleAuth(connection: Connection, packet: AuthPacket): void {
  const { authentication } = connection
  // MQTT-4.12.0-7
  if (authentication === undefined) throw violation('AUTH without an authentication method in CONNECT')
  if (packet.properties.authenticationMethod !== authentication.method) {
    throw new ProtocolError(ReasonCode.BadAuthenticationMethod, 'another authentication method than in CONNECT')
  }
  if (packet.reasonCode === ReasonCode.ReAuthenticate) {
    if (!connection.connected || authentication.exchange !== undefined) throw violation('re-authentication out of turn')
    const authenticator = connection.context.authenticators.get(authentication.method)
    authentication.exchange = authenticator?.begin({ id: connection.id, username: authentication.username })
    authentication.finished = (data) => sendAuth(connection, ReasonCode.Success, data)
  } else if (packet.reasonCode !== ReasonCode.ContinueAuthentication || authentication.exchange === undefined) {
    throw violation('AUTH out of turn')
  }
  step(connection, authentication, packet.properties.authenticationData)
}

function step(connection: Connection, authentication: Authentication, data: Buffer | undefined): void {
  connection.ask<AuthenticationStep>(
    'authentication',
    (callback) => authentication.exchange?.next(data, callback),
    (error, answer) => {
      if (error !== null || answer === undefined) {
        refuse(connection, error ?? new Error('not authorized'))
        return
      }
      if (!answer.done) {
        sendAuth(connection, ReasonCode.ContinueAuthentication, answer.data)
        return
      }
      authentication.exchange = undefined
      authentication.finished(answer.data)
    },
  )
}

function sendAuth(connection: Connection, reasonCode: number, data: Buffer | undefined): void {
  const authenticationMethod = connection.authentication?.method as string
  connection.send({
    type: 'auth',
    reasonCode,
    properties: data === undefined ? { authenticationMethod } : { authenticationMethod, authenticationData: data },
  })
}

function refuse(connection: Connection, error: Error): void {
  const { reasonCode = ReasonCode.NotAuthorized } = error as { reasonCode?: number }
  if (!connection.connected) sendRefusal(connection, reasonCode, error.message)
  connection.fail(new ClientError(reasonCode, error.message))
}
