import type { PersistenceState } from '../../../src/broker/ports/persistence-port.ts'
import type { PortEntry, PortSession, PortSubscription, SessionPort } from '../../../src/broker/ports/state.ts'
import { Retained } from '../../../src/broker/retained.ts'
import type { Message } from '../../../src/message/message.ts'
import type { Destination } from '../../../src/router/destination.ts'
import { Router } from '../../../src/router/router.ts'
import { openStore } from '../../../src/store/open-store.ts'
import { FakeClock } from '../../support/fake-clock.ts'

interface Entry {
  key: object
  message: Message
  packetId: number
  released: boolean
}

class MemorySession implements PortSession, Destination {
  readonly clientId: string
  readonly durable = true
  private readonly router: Router
  private readonly byFilter = new Map<string, PortSubscription>()
  private readonly packetIds = new Set<number>()
  private entries: Entry[] = []

  constructor(clientId: string, router: Router) {
    this.clientId = clientId
    this.router = router
  }

  offer(): void {}

  subscriptions(): Iterable<PortSubscription> {
    return this.byFilter.values()
  }

  find(filter: string): PortSubscription | undefined {
    return this.byFilter.get(filter)
  }

  subscribe(subscription: PortSubscription): void {
    const { requested: filter, qos, noLocal, retainAsPublished, identifier } = subscription
    this.byFilter.set(filter, subscription)
    this.router.subscribe(filter, this, { filter, qos, noLocal, retainAsPublished, identifier })
  }

  unsubscribe(requested: string): void {
    if (this.byFilter.delete(requested)) this.router.unsubscribe(requested, this)
  }

  queue(): Iterable<PortEntry> {
    return this.entries
  }

  enqueue(message: Message): object {
    const entry: Entry = { key: {}, message, packetId: 0, released: false }
    this.entries.push(entry)
    return entry.key
  }

  release(entry: PortEntry): void {
    for (const own of this.entries) if (own.key === entry.key) own.released = true
  }

  remove(entry: PortEntry): void {
    this.entries = this.entries.filter((own) => own.key !== entry.key)
  }

  incoming(): Iterable<number> {
    return this.packetIds
  }

  hasIncoming(packetId: number): boolean {
    return this.packetIds.has(packetId)
  }

  addIncoming(packetId: number): void {
    this.packetIds.add(packetId)
  }

  removeIncoming(packetId: number): void {
    this.packetIds.delete(packetId)
  }
}

function memorySessions(): SessionPort {
  const router = new Router()
  const sessions = new Map<string, MemorySession>()
  return {
    sessions: () => sessions.values(),
    find: (clientId) => sessions.get(clientId),
    open(clientId) {
      const session = sessions.get(clientId) ?? new MemorySession(clientId, router)
      sessions.set(clientId, session)
      return session
    },
    *matching(topic) {
      for (const { destination, subscription } of router.subscribersOf(topic)) {
        const session = destination as MemorySession
        const own = session.find(subscription.filter)
        if (own !== undefined) yield [session, own]
      }
    },
  }
}

/** The broker's own retained messages; sessions and wills as the contract needs them and no more. */
export async function memoryState(): Promise<PersistenceState> {
  const store = await openStore({ durability: 'memory' })
  const wills = new Map<string, Parameters<PersistenceState['wills']['put']>[1]>()
  return {
    retained: new Retained(store, new FakeClock(), { messagesMax: 10_000, bytesMax: 1_000_000 }),
    sessions: memorySessions(),
    wills: {
      get: (clientId) => wills.get(clientId),
      put: (clientId, will) => void wills.set(clientId, will),
      delete: (clientId) => void wills.delete(clientId),
      clientIds: () => wills.keys(),
    },
  }
}
