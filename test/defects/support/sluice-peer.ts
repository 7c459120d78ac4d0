import type { AnyBroker, Needs, Running } from './broker.ts'

export async function startSluice(needs: Needs, folder: string | undefined): Promise<Running> {
  const entry: string = '../../../src/index.ts'
  const { createBroker } = (await import(entry)) as { createBroker: (options: object) => Promise<AnyBroker> }
  const broker = await createBroker({
    ...(folder === undefined ? { memory: true } : { data: folder, durability: 'os' }),
    sys: { intervalSeconds: 0 },
    limits: { ...needs.limits },
    ...needs.aedes,
  })
  return { broker, close: () => new Promise((resolve) => broker.close(resolve)) }
}
