import { Device } from './device.ts'
import type { Stage } from './stage.ts'
import { ConnectionLost } from './world.ts'

/** Comes once more for each of these clients, and ends its session: nothing of it is to be left. */
export async function endSessions(stage: Stage, clientIds: readonly string[]): Promise<void> {
  for (const clientId of clientIds) {
    const device = new Device(stage, clientId, { version: 5, expirySeconds: 0 })
    try {
      await device.connect()
      await device.disconnect()
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
    }
  }
}
