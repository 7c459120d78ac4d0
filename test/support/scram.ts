import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { AuthenticationExchange, EnhancedAuthenticator } from '../../src/index.ts'

// SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding, both sides.

const ITERATIONS = 4096
const KEY_BYTES = 32

interface Credentials {
  readonly salt: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function hash(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)))
}

function fields(message: string): Map<string, string> {
  return new Map(message.split(',').map((field) => [field.slice(0, 1), field.slice(2)]))
}

function saltedPassword(password: string, salt: Buffer): Buffer {
  return pbkdf2Sync(password, salt, ITERATIONS, KEY_BYTES, 'sha256')
}

function credentialsOf(password: string): Credentials {
  const salt = randomBytes(16)
  const salted = saltedPassword(password, salt)
  return { salt, storedKey: hash(hmac(salted, 'Client Key')), serverKey: hmac(salted, 'Server Key') }
}

/** The broker's side for these users. */
export function scramAuthenticator(passwords: Record<string, string>): EnhancedAuthenticator {
  const users = new Map(Object.entries(passwords).map(([name, password]) => [name, credentialsOf(password)]))
  return { method: 'SCRAM-SHA-256', begin: () => new ScramServer(users) }
}

class ScramServer implements AuthenticationExchange {
  private readonly users: ReadonlyMap<string, Credentials>
  private credentials: Credentials | undefined
  private firstBare = ''
  private serverFirst = ''

  constructor(users: ReadonlyMap<string, Credentials>) {
    this.users = users
  }

  next(data: Buffer | undefined, answer: Parameters<AuthenticationExchange['next']>[1]): void {
    const message = data?.toString() ?? ''
    if (this.serverFirst === '') {
      this.firstBare = message.slice(message.indexOf(',,') + 2)
      const said = fields(this.firstBare)
      this.credentials = this.users.get(said.get('n') ?? '')
      if (this.credentials === undefined) return answer(new Error('no such user'))
      const nonce = `${said.get('r')}${randomBytes(12).toString('base64url')}`
      this.serverFirst = `r=${nonce},s=${this.credentials.salt.toString('base64')},i=${ITERATIONS}`
      return answer(null, { done: false, data: Buffer.from(this.serverFirst) })
    }
    const { storedKey, serverKey } = this.credentials as Credentials
    const withoutProof = message.slice(0, message.lastIndexOf(',p='))
    const transcript = `${this.firstBare},${this.serverFirst},${withoutProof}`
    const proof = Buffer.from(fields(message).get('p') ?? '', 'base64')
    const clientKey = xor(proof, hmac(storedKey, transcript))
    if (!timingSafeEqual(hash(clientKey), storedKey)) return answer(new Error('the proof is wrong'))
    answer(null, { done: true, data: Buffer.from(`v=${hmac(serverKey, transcript).toString('base64')}`) })
  }
}

/** The client's side: what it says first, what it answers, and what the broker has to prove in the end. */
export class ScramClient {
  private readonly password: string
  private readonly firstBare: string

  constructor(name: string, password: string) {
    this.password = password
    this.firstBare = `n=${name},r=${randomBytes(12).toString('base64url')}`
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.firstBare}`)
  }

  final(serverFirst: Buffer): { answer: Buffer; expected: string } {
    const said = fields(serverFirst.toString())
    const salted = saltedPassword(this.password, Buffer.from(said.get('s') ?? '', 'base64'))
    const withoutProof = `c=biws,r=${said.get('r')}`
    const transcript = `${this.firstBare},${serverFirst.toString()},${withoutProof}`
    const clientKey = hmac(salted, 'Client Key')
    const proof = xor(clientKey, hmac(hash(clientKey), transcript))
    return {
      answer: Buffer.from(`${withoutProof},p=${proof.toString('base64')}`),
      expected: `v=${hmac(hmac(salted, 'Server Key'), transcript).toString('base64')}`,
    }
  }
}
