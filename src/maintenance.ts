import { resolve } from 'node:path'
import { ControlClient, isBrokerRunning } from './admin/control-client.ts'
import { USAGE_CODE } from './admin/queue-request.ts'
import { SluiceError, UsageError } from './base/errors.ts'
import { decodeWill } from './broker/will-record.ts'
import { decodeProperties } from './message/basic-properties.ts'
import { parseSharedFilter, topicFilterProblem } from './message/filter.ts'
import type { Message } from './message/message.ts'
import { topicNameProblem } from './message/topic.ts'
import { queueRecordKinds } from './queue/queue-records.ts'
import { decodeSession } from './session/mqtt/session-record.ts'
import { decodeSubscription } from './session/mqtt/subscription-record.ts'
import { type RecordKind, type RecordKinds, storeKinds } from './store/account.ts'
import { checkFolder, type StoreReport } from './store/check.ts'
import {
  isTextKey,
  KIND_INCOMING,
  KIND_SESSION,
  KIND_SUBSCRIPTION,
  KIND_WILL,
  parseIncomingKey,
  parseSubscriptionKey,
  stringOfKey,
  subscriptionKey,
  willKey,
} from './store/keys.ts'
import { FolderView } from './store/level/folder-view.ts'
import { copyPages } from './store/level/new-store.ts'
import { explain } from './store/level/folder-errors.ts'
import { databaseOf } from './store/level/open-folder.ts'
import { refuseInside } from './store/level/target-folder.ts'
import { repairFolder } from './store/repair.ts'
import { decodeForwardProperties } from './wire/mqtt/forward-properties.ts'

// What the command line does with a store on disk, with the records of everyone who keeps some in it.

const NO_TEXT = 'its key is no text'

const sessions: RecordKind = {
  name: 'sessions',
  claim(key, value, owners) {
    const { number } = decodeSession(value)
    if (!isTextKey(key)) return
    owners.clientIds.add(stringOfKey(key))
    owners.sessionNumbers.add(number)
    owners.fifos.add(number)
  },
  missing(key, value) {
    decodeSession(value)
    return isTextKey(key) ? undefined : NO_TEXT
  },
}

const subscriptions: RecordKind = {
  name: 'subscriptions',
  missing(key, value, owners) {
    const { clientId, filter } = parseSubscriptionKey(key)
    const shared = parseSharedFilter(filter)
    decodeSubscription(filter, shared?.filter ?? filter, shared?.shareName ?? '', value)
    if (!key.equals(subscriptionKey(clientId, filter))) return NO_TEXT
    const problem = topicFilterProblem(filter)
    if (problem !== undefined) return `the topic filter '${filter}' ${problem}`
    return owners.clientIds.has(clientId) ? undefined : `the session of client '${clientId}' is missing`
  },
}

const wills: RecordKind = {
  name: 'wills',
  message: (value) => decodeWill(value).will.message,
  missing(key, value) {
    const { clientId } = decodeWill(value)
    return key.equals(willKey(clientId)) ? undefined : `it is the will of client '${clientId}'`
  },
}

const incoming: RecordKind = {
  name: 'unreleased packet identifiers',
  missing(key, _value, owners) {
    const { sessionNumber } = parseIncomingKey(key)
    return owners.sessionNumbers.has(sessionNumber) ? undefined : `session ${sessionNumber} is missing`
  },
}

export const recordKinds: RecordKinds = Object.assign(
  new Map([
    ...storeKinds,
    [KIND_SESSION, sessions],
    [KIND_SUBSCRIPTION, subscriptions],
    [KIND_WILL, wills],
    [KIND_INCOMING, incoming],
    ...queueRecordKinds,
  ]),
  { checkMessage },
)

/**
 * A start does not look so closely: what came in was checked then, and only damage makes something else of it. It would
 * be sent as it is, and its receivers close their connections.
 */
function checkMessage({ topic, properties, amqp }: Message): void {
  const problem = topicNameProblem(topic)
  if (problem !== undefined) throw new SluiceError('STORE_RECORD_DAMAGED', `the topic '${topic}' ${problem}`)
  decodeForwardProperties(properties)
  if (amqp !== undefined) decodeProperties(amqp.properties)
}

/** Checks a store that no broker runs on, without changing it. Throws a SluiceError. */
export async function checkStore(data: string): Promise<StoreReport> {
  await refuseRunning(data)
  return checkFolder(resolve(data), recordKinds)
}

/** Saves what can be saved of a store into a new folder. Throws a SluiceError. */
export async function repairStore(data: string, to: string): Promise<StoreReport> {
  await refuseRunning(data)
  await refuseInside(to, data)
  return repairFolder(resolve(data), resolve(to), recordKinds)
}

/** Has the broker that runs on `data` write a backup. Throws a SluiceError. */
export async function backupStore(data: string, to: string): Promise<{ entries: number; bytes: number }> {
  await refuseInside(to, data)
  return (await askBroker(data, 'store.backup', { folder: resolve(to) })) as { entries: number; bytes: number }
}

/**
 * Has the broker that runs on `data` do what a command of its control socket says. Throws a SluiceError; a UsageError
 * where what was asked for cannot be meant.
 */
export async function askBroker(
  data: string,
  command: string,
  given: object,
  progress?: (what: unknown) => void,
): Promise<unknown> {
  const client = await ControlClient.connect(resolve(data))
  try {
    return await client.ask(command, given, progress)
  } catch (error) {
    if (error instanceof SluiceError && error.code === USAGE_CODE)
      throw new UsageError(USAGE_CODE, error.message, error)
    throw error
  } finally {
    client.close()
  }
}

/** Makes a data folder of a backup that is whole. Throws a SluiceError. */
export async function restoreStore(backup: string, data: string): Promise<{ entries: number; bytes: number }> {
  await refuseInside(data, backup)
  const { damageCount, damage } = await checkStore(backup)
  if (damageCount > 0) {
    throw new SluiceError(
      'STORE_DAMAGED',
      `${resolve(backup)} is damaged: ${damage[0]}; save the rest with: ` +
        `sluice store repair --data ${backup} --to NEWFOLDER`,
    )
  }
  let view: FolderView
  try {
    view = await FolderView.open(await databaseOf(backup))
  } catch (error) {
    throw error instanceof SluiceError ? error : explain(resolve(backup), error)
  }
  try {
    return await copyPages(view.backend.snapshot(), resolve(data))
  } finally {
    await view.close()
  }
}

async function refuseRunning(data: string): Promise<void> {
  if (!(await isBrokerRunning(data))) return
  throw new SluiceError('STORE_LOCKED', `${resolve(data)} is in use by a running broker; stop it first`)
}
