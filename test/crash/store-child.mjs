// Commits in a loop until it is killed, and writes a line for each commit only after the commit has returned:
// the serial number up to which everything is pushed, and the one up to which the first queue is acknowledged.
import { writeSync } from 'node:fs'
import { Message } from '../../dist/message/message.js'
import { Fifo } from '../../dist/store/fifo.js'
import { metaKey } from '../../dist/store/keys.js'
import { openStore } from '../../dist/store/open-store.js'

const [folder, durability] = process.argv.slice(2)
const store = await openStore({ folder, durability })
const options = { durable: true, messagesMax: 1e9, bytesMax: 1e12, windowBytes: 20_000 }
const worked = new Fifo(store, 1, options)
const kept = new Fifo(store, 2, options)
let serial = Number((await store.get(metaKey('serial'))) ?? 0)
let acknowledged = 0

function turn() {
  for (let i = 0; i < 20; i++) {
    const message = new Message('crash', Buffer.from(`${++serial}`.padEnd(serial % 200)), 1, false)
    worked.push(message, serial % 7)
    kept.push(message, serial % 7)
  }
  while (worked.readyCount > 50) {
    const entry = worked.next()
    if (entry === undefined) break
    acknowledged = Number(entry.message.payload)
    worked.ack(entry)
  }
  store.commit.put(metaKey('serial'), Buffer.from(`${serial}`))
  const line = `${serial} ${acknowledged}\n`
  store.commit.wait({ committed: () => writeSync(1, line) })
}

// Bounded by the commits, so that the queue that is kept does not outgrow the test.
let waiting = false
function step() {
  turn()
  if (!waiting && store.commit.formingEpoch - store.commit.committedEpoch > 3) {
    waiting = true
    void store.commit.flush().then(() => {
      waiting = false
      setImmediate(step)
    })
  } else if (!waiting) setImmediate(step)
}
step()
