import { mirror } from './mirror.mjs'
import { mosquitto } from './mosquitto.mjs'
import { rabbitmq } from './rabbitmq.mjs'
import { sluice } from './sluice.mjs'

/**
 * A broker that can be measured.
 *
 * @typedef {object} Kind
 * @property {(scenario?: import('../scenarios.mjs').Scenario) => string | undefined} unavailable why it cannot run
 * @property {() => string} version
 * @property {(scenario: import('../scenarios.mjs').Scenario) => Promise<import('./process.mjs').Running>} start
 */

/** @type {Map<string, Kind>} */
export const brokers = new Map(Object.entries({ sluice, mosquitto, rabbitmq, mirror }))
