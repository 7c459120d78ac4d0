import fc from 'fast-check'
import type { ModelSubscription } from './state.ts'

export const CLIENTS = ['c0', 'c1', 'c2', 'c3'] as const

export type ClientName = (typeof CLIENTS)[number]

interface Who {
  readonly who: ClientName
}

/** One thing that happens. What makes no sense at its place, as a second DISCONNECT, is passed over. */
export type Action =
  | (Who & {
      readonly do: 'connect'
      readonly version: 3 | 4 | 5
      readonly clean: boolean
      /** Seconds; of version 5, as all that is not in 3.1.1. */
      readonly expiry: number
      readonly receiveMaximum: number
      readonly aliases: number
      readonly will: { readonly qos: number; readonly retain: boolean; readonly delay: number } | undefined
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
  | { readonly do: 'restart' }

// What two groups share and what nobody shares are apart, so that a message tells by which way it came.
const filter = fc.constantFrom('a', 'a/b', 'a/+', 'a/#', '+/b', 'b', 'b/#', '+', '/+')
const shared = fc.constantFrom('$share/g/q/1', '$share/h/r/+')
const topic = fc.constantFrom('a', 'a/b', 'a/c', 'b', 'b/b', '/b', 'q/1', 'r/1', 'r/2')
const who = fc.constantFrom(...CLIENTS)
const qos = fc.nat(2)
const rarely = fc.nat(4).map((number) => number === 4)
const options = { qos, identifier: fc.constant(0) }
const request = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      filter,
      noLocal: rarely,
      retainAsPublished: fc.boolean(),
      retainHandling: fc.nat(2),
      ...options,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      filter: shared,
      noLocal: fc.constant(false),
      retainAsPublished: fc.boolean(),
      retainHandling: fc.nat(2),
      ...options,
    }),
  },
)

const connect = fc.record({
  do: fc.constant('connect' as const),
  who,
  version: fc.constantFrom<3 | 4 | 5>(5, 4, 3, 5),
  clean: fc.nat(2).map((number) => number === 2),
  expiry: fc.constantFrom(3600, 20, 0, 3600),
  receiveMaximum: fc.constantFrom(100, 1, 2),
  aliases: fc.constantFrom(0, 0, 1),
  will: fc.option(fc.record({ qos, retain: fc.boolean(), delay: fc.constantFrom(0, 10, 30) }), {
    nil: undefined,
    freq: 2,
  }),
})
const disconnect = fc.record(
  {
    do: fc.constant('disconnect' as const),
    who,
    how: fc.constantFrom('normally' as const, 'abruptly' as const, 'with will' as const),
    expiry: fc.constantFrom(0, 15, 3600),
  },
  { requiredKeys: ['do', 'who', 'how'] },
)
const subscribe = fc.record({
  do: fc.constant('subscribe' as const),
  who,
  requests: fc.uniqueArray(request, { minLength: 1, maxLength: 2, selector: (one) => one.filter }),
  identifier: fc.nat(3),
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
  count: fc.integer({ min: 1, max: 3 }),
  release: fc.nat(3).map((number) => number < 3),
  atOnce: rarely,
})

const steps: { weight: number; arbitrary: fc.Arbitrary<Action> }[] = [
  { weight: 5, arbitrary: connect },
  { weight: 3, arbitrary: disconnect },
  { weight: 5, arbitrary: subscribe },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), who, filter: fc.oneof(filter, shared) }),
  },
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
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.constantFrom(5, 10, 20, 60) }) },
]
const restart = { weight: 1, arbitrary: fc.constant<Action>({ do: 'restart' }) }

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
