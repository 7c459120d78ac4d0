import { fileURLToPath } from 'node:url'
import { startBroker } from './process.mjs'

const program = fileURLToPath(new URL('../load/mirror.mjs', import.meta.url))

/** The load generator's own ceiling, at QoS 0 and 1. @type {import('./catalogue.mjs').Kind} */
export const mirror = {
  unavailable: (scenario) =>
    scenario === undefined || (scenario.kind === 'traffic' && scenario.load.qos !== 2 && scenario.store === 'memory')
      ? undefined
      : 'the mirror has neither sessions nor QoS 2',
  version: () => `mirror on Node.js ${process.versions.node}`,
  start: (scenario) =>
    startBroker([process.execPath, program, JSON.stringify(scenario.load)], /^listening mqtt:\/\/.*:(\d+)$/),
}
