import { describe, expect, it } from 'vitest'
import type { BrokerOptions } from '../../src/index.ts'
import { runSequences, timeoutMs } from './run-sequences.ts'

/** Hooks that permit all, after a turn of the event loop: the way of every packet is another one then. */
const hooks: BrokerOptions = {
  authenticate: (_client, _name, _password, done) => void setImmediate(done, null, true),
  // Not for wills: who takes their session up meanwhile may hear their own.
  authorizePublish: (_client, { topic }, done) =>
    void (topic.startsWith('a/w') ? done(null) : setImmediate(done, null)),
  authorizeSubscribe: (_client, subscription, done) => void setImmediate(done, null, subscription),
  authorizeForward: (_client, packet) => packet,
  published: (_packet, _client, done) => void setImmediate(done),
}

describe('the broker does as the reference broker', { timeout: timeoutMs }, () => {
  it('in memory', async () => {
    expect(await runSequences('in memory', { onDisk: false, areHooksSlow: false, hooks: {} }, 60)).toBeGreaterThan(0)
  })

  it('on disk, over restarts', async () => {
    expect(await runSequences('on disk', { onDisk: true, areHooksSlow: false, hooks: {} }, 20)).toBeGreaterThan(0)
  })

  it('with hooks that take their time', async () => {
    expect(await runSequences('with hooks', { onDisk: false, areHooksSlow: true, hooks }, 80)).toBeGreaterThan(0)
  })
})
