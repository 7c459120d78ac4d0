import type { Account } from './store-account.ts'

interface Known {
  /** It has to be stored; false: it may be. */
  isSure: boolean
  /** Undefined: asked for or given up, and not answered. */
  readonly filters: Map<string, boolean | undefined>
}

/** What the clients know of their sessions, to be compared with what a store says of them. */
export class SessionBook {
  private readonly sessions = new Map<string, Known>()

  /** CONNECT is on its way: whatever the session was, it may begin or end. */
  connecting(clientId: string): void {
    this.known(clientId).isSure = false
  }

  /** `mustLast`: it outlives what happens in a test; `present`: with all its subscriptions. */
  connected(clientId: string, mustLast: boolean, present: boolean): void {
    const known = this.known(clientId)
    known.isSure = mustLast
    if (!present) known.filters.clear()
  }

  /** The session is gone, and the commit of that was acknowledged. */
  ended(clientId: string): void {
    this.sessions.delete(clientId)
  }

  change(clientId: string, filters: readonly string[], isSubscribed: boolean | undefined): void {
    for (const filter of filters) this.known(clientId).filters.set(filter, isSubscribed)
  }

  /** Where a store does not say what was acknowledged. */
  problems({ sessions }: Account): string[] {
    const found: string[] = []
    for (const [clientId, filters] of sessions) {
      const known = this.sessions.get(clientId)
      if (known === undefined) found.push(`a session of ${clientId}, which has none`)
      for (const filter of filters) {
        if (known?.filters.has(filter) === true && known.filters.get(filter) !== false) continue
        found.push(`a subscription of ${clientId} to ${filter}, which has none`)
      }
    }
    for (const [clientId, { isSure, filters }] of this.sessions) {
      const stored = sessions.get(clientId)
      if (isSure && stored === undefined) found.push(`no session of ${clientId}`)
      for (const [filter, isSubscribed] of filters) {
        if (isSubscribed && !stored?.has(filter)) found.push(`no subscription of ${clientId} to ${filter}`)
      }
    }
    return found
  }

  private known(clientId: string): Known {
    let known = this.sessions.get(clientId)
    if (known === undefined) {
      known = { isSure: false, filters: new Map() }
      this.sessions.set(clientId, known)
    }
    return known
  }
}
