import fc from 'fast-check'

export const CLIENTS = ['c0', 'c1', 'c2', 'c3'] as const

export type ClientName = (typeof CLIENTS)[number]

export interface ModelSubscription {
  readonly filter: string
  readonly qos: number
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly retainHandling: number
  /** 0: none. */
  readonly identifier: number
}

export interface ModelWill {
  readonly qos: number
  readonly retain: boolean
  /** Seconds, as is `expiry`; of version 5, as what follows. */
  readonly delay: number
  readonly expiry: number
  readonly contentType: boolean
}

interface Who {
  readonly who: ClientName
}

/** One thing that happens. What makes no sense at its place, as a second DISCONNECT, is passed over. */
export type Action =
  | (Who & {
      readonly do: 'connect'
      readonly version: 3 | 4 | 5
      readonly clean: boolean
      /** Seconds, 0xFFFFFFFF for ever; of version 5, as all that is not in 3.1.1. */
      readonly expiry: number
      readonly receiveMaximum: number
      readonly aliases: number
      /** 0: none. */
      readonly packetBytesMax: number
      readonly will: ModelWill | undefined
    })
  | (Who & { readonly do: 'disconnect'; readonly how: 'normally' | 'with will' | 'abruptly'; readonly expiry?: number })
  | (Who & { readonly do: 'subscribe'; readonly requests: readonly ModelSubscription[]; readonly identifier: number })
  | (Who & { readonly do: 'unsubscribe'; readonly filter: string })
  | (Who & {
      readonly do: 'publish'
      readonly topic: string
      readonly qos: number
      readonly retain: boolean
      readonly empty: boolean
      readonly expiry: number
      readonly contentType: boolean
      /** 0: none. */
      readonly alias: number
      /** Its size is about what some clients take at most. */
      readonly large: boolean
      readonly count: number
      /** A QoS 2 message is released at once. */
      readonly release: boolean
      /** The next action follows in the same turn. */
      readonly atOnce: boolean
    })
  | (Who & { readonly do: 'acknowledge'; readonly which: number; readonly refuse: boolean })
  | (Who & { readonly do: 'acknowledge all' })
  | (Who & { readonly do: 'repeat' | 'release'; readonly which: number })
  | { readonly do: 'pass'; readonly seconds: number }
  /** The seconds during which the broker is down. */
  | { readonly do: 'restart'; readonly seconds: number }

const FILTERS = ['a', 'a/b', 'a/+', 'a/#', '+/b', 'b', 'b/#', '+', '/+', '$x/#', '$x/+']
/** Nobody is in two groups that share a topic: what the first one hands over can take the room for the second. */
const SHARED = { c0: '$share/g/q/1', c1: '$share/g/q/1', c2: '$share/h/q/1', c3: '$share/h/q/1' }
const SHARED_BY_ALL = '$share/h/r/+'
/**
 * For c3 alone, which is always of version 5: by the subscription identifier a message tells by which way it came. At
 * QoS 0, because what takes room would change who of a group gets the message.
 */
const OVERLAPPING = ['#', 'q/+', '+/1', 'r/#']
const NEVER_EXPIRES = 0xffff_ffff

const topic = fc.constantFrom('a', 'a/b', 'a/c', 'b', 'b/b', '/b', '$x', '$x/b', 'q/1', 'q/1', 'r/1', 'r/2')
const who = fc.constantFrom(...CLIENTS)
const qos = fc.nat(2)
const rarely = fc.nat(4).map((number) => number === 4)
const options = { qos, retainAsPublished: fc.boolean(), retainHandling: fc.nat(2), identifier: fc.constant(0) }
const ordinary = fc.record({ filter: fc.constantFrom(...FILTERS), noLocal: rarely, ...options })
const overlapping = fc.record({
  filter: fc.constantFrom(...OVERLAPPING),
  noLocal: rarely,
  ...options,
  qos: fc.constant(0),
})

function sharedBy(client: ClientName): fc.Arbitrary<ModelSubscription> {
  const filter = fc.constantFrom(SHARED[client], SHARED_BY_ALL)
  return fc.record({ filter, noLocal: fc.constant(false), ...options })
}

/** Those of one SUBSCRIBE: what is shared and what is not are apart, as they have an identifier of their own. */
function requestsOf(client: ClientName): fc.Arbitrary<ModelSubscription[]> {
  const own = client === 'c3' ? fc.oneof(ordinary, overlapping) : ordinary
  const once = { minLength: 1, maxLength: 2, selector: (one: ModelSubscription) => one.filter }
  return fc.oneof(
    { weight: 3, arbitrary: fc.uniqueArray(own, once) },
    { weight: 2, arbitrary: fc.uniqueArray(sharedBy(client), once) },
  )
}

const anyConnect = fc.record({
  do: fc.constant('connect' as const),
  who,
  version: fc.constantFrom<3 | 4 | 5>(5, 4, 3, 5),
  clean: fc.nat(2).map((number) => number === 2),
  expiry: fc.constantFrom(3600, 20, 0, NEVER_EXPIRES),
  receiveMaximum: fc.constantFrom(100, 1, 2),
  aliases: fc.constantFrom(0, 1, 2, 5),
  packetBytesMax: fc.constantFrom(0, 0, 44, 50),
  will: fc.option(
    fc.record({
      qos,
      retain: fc.boolean(),
      delay: fc.constantFrom(0, 10, 30),
      expiry: fc.constantFrom(0, 5, 25),
      contentType: fc.boolean(),
    }),
    { nil: undefined, freq: 2 },
  ),
})
/** With aliases, what the size of a packet is would depend on which topics have got one. */
const connect = anyConnect.map((one) => ({
  ...one,
  version: one.who === 'c3' ? (5 as const) : one.version,
  aliases: one.packetBytesMax > 0 ? 0 : one.aliases,
}))
const disconnect = fc.record(
  {
    do: fc.constant('disconnect' as const),
    who,
    how: fc.constantFrom('normally' as const, 'abruptly' as const, 'with will' as const),
    expiry: fc.constantFrom(0, 15, 3600, NEVER_EXPIRES),
  },
  { requiredKeys: ['do', 'who', 'how'] },
)
const subscribe = fc.oneof(
  ...CLIENTS.map((client) =>
    fc.record({
      do: fc.constant('subscribe' as const),
      who: fc.constant(client),
      requests: requestsOf(client),
      identifier: fc.constantFrom(0, 0, 1, 2),
    }),
  ),
)
const unsubscribe = fc.record({
  do: fc.constant('unsubscribe' as const),
  who,
  filter: fc.constantFrom(...FILTERS, ...OVERLAPPING, ...Object.values(SHARED), SHARED_BY_ALL),
})
const publish = fc.record({
  do: fc.constant('publish' as const),
  who,
  topic,
  qos,
  retain: rarely,
  empty: rarely,
  expiry: fc.constantFrom(0, 0, 0, 5, 25),
  contentType: rarely,
  alias: fc.constantFrom(0, 0, 1, 2),
  large: fc.nat(2).map((number) => number === 2),
  count: fc.integer({ min: 1, max: 3 }),
  release: fc.nat(3).map((number) => number < 3),
  atOnce: rarely,
})

const steps: { weight: number; arbitrary: fc.Arbitrary<Action> }[] = [
  { weight: 5, arbitrary: connect },
  { weight: 3, arbitrary: disconnect },
  { weight: 5, arbitrary: subscribe },
  { weight: 1, arbitrary: unsubscribe },
  { weight: 10, arbitrary: publish },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('acknowledge' as const), who, which: fc.nat(3), refuse: rarely }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('acknowledge all' as const), who }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('repeat' as const, 'release' as const), who, which: fc.nat(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.constantFrom(5, 10, 20, 60, 4000) }),
  },
]
const restart = {
  weight: 1,
  arbitrary: fc.record({ do: fc.constant('restart' as const), seconds: fc.constantFrom(0, 10, 40) }),
}

export function isShared(topic: string): boolean {
  return /^[qr]/.test(topic)
}

/** Not what is retained, which is replayed in any order, nor what is shared, which another member could take. */
export function isLarge({ large, retain, empty, topic: name }: Action & { do: 'publish' }): boolean {
  return large && !retain && !empty && !isShared(name)
}

/** The first actions give each client a session, so that what follows has something to act on. */
export function sequences(withRestarts: boolean): fc.Arbitrary<Action[]> {
  const any = fc.oneof(...(withRestarts ? [...steps, restart] : steps))
  return fc
    .tuple(
      fc.array(connect, { maxLength: 4 }),
      fc.array(subscribe, { maxLength: 4 }),
      fc.array(any, { maxLength: 60, size: 'max' }),
    )
    .map(([first, second, rest]) => [...first, ...second, ...rest])
}

/** The script to print: one action a line. */
export function script(actions: readonly Action[]): string {
  return actions
    .map((action) => {
      const { do: verb, ...rest } = action
      const name = 'who' in rest ? `${rest.who} ` : ''
      const fields = Object.entries(rest).filter(
        ([key, value]) => key !== 'who' && value !== undefined && value !== false,
      )
      return `  ${name}${verb} ${fields.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(', ')}`.trimEnd()
    })
    .join('\n')
}
