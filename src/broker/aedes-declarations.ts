import type { Client } from 'aedes'

// What aedes 1.2.0 has at run time and its own declarations leave out.
declare module 'aedes' {
  interface Aedes {
    opts: Record<string, unknown>
    counter: number
    mq: unknown
    persistence: unknown
    clients: Record<string, Client>
    _clearWillInterval: NodeJS.Timeout | undefined
    _heartbeatInterval: NodeJS.Timeout | undefined
    connectTimeout: number
    keepaliveLimit: number
    maxClientsIdLength: number
    maxInflightInbound: number
    maxTopicLevels: number
    registerClient(client: Client): void
    unregisterClient(client: Client): void
    deleteClient(clientId: string): void
    _finishRegisterClient(client: Client): void
  }
}
