import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createBroker } from '../../../src/index.ts'
import { openStore } from '../../../src/store/open-store.ts'

test('a store that is closed twice is closed', async () => {
  const store = await openStore({ durability: 'memory' })
  await store.close()
  await expect(store.close()).resolves.toBeUndefined()
})

test('a start that fails at a listener says so, with everything closed behind it', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  await expect(createBroker({ memory: true, mqtt: { port } })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  await new Promise((resolve) => taken.close(resolve))
})
