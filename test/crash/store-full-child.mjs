// Puts numbered values of the sizes given, and writes the number of each after its commit has returned; `failed` and
// `recovered` as they happen, and after a failure whether the first value can still be read. Closes cleanly.
import { writeSync } from 'node:fs'
import { metaKey } from '../../dist/store/keys.js'
import { openStore } from '../../dist/store/open-store.js'

const [folder, ...sizes] = process.argv.slice(2)
// The retry alone does not keep a process alive; in the broker the listeners do.
const alive = setInterval(() => {}, 1000)
const store = await openStore({ folder, durability: 'fsync' })
store.commit.onFailure = () => {
  writeSync(1, 'failed\n')
  store.get(metaKey('value-1')).then(
    (first) => first !== undefined && writeSync(1, 'readable\n'),
    (error) => writeSync(1, `unreadable ${error}\n`),
  )
}
store.commit.onRecovery = () => writeSync(1, 'recovered\n')
for (const [i, size] of sizes.entries()) {
  store.commit.put(metaKey(`value-${i + 1}`), noise(Number(size)))
  await store.commit.flush()
  writeSync(1, `${i + 1}\n`)
}
await store.close()
clearInterval(alive)

// Bytes that do not compress, so that the limit on the size of a file is met.
function noise(size) {
  const bytes = Buffer.alloc(size)
  let state = 1
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[i] = state >>> 16
  }
  return bytes
}
