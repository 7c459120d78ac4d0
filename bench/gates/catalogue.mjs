import { backlog } from './backlog.mjs'
import { connections } from './connections.mjs'
import { fleet } from './fleet.mjs'
import { reconnect } from './reconnect.mjs'
import { slowLink } from './slow-link.mjs'
import { soak } from './soak.mjs'
import { start } from './start.mjs'
import { stuck } from './stuck.mjs'
import { sustained } from './sustained.mjs'

/** @type {import('./gate.mjs').Gate[]} */
export const gates = [sustained, backlog, stuck, start, reconnect, connections, slowLink, fleet, soak]
