import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'

export * from 'node:timers/promises'

// What the broker does about a packet takes a few turns of the event loop. The suite gives it a millisecond or ten,
// which on a busy machine can be over before a single turn is.
const TURNS = 20

export async function setTimeout(ms, value, options) {
  const result = await delay(ms, value, options)
  for (let turn = 0; turn < TURNS; turn++) await nextTurn()
  return result
}
