// Puts numbered values and writes the number of each commit after it has returned; `failed` and `recovered` as they
// happen; closes cleanly after the number given.
import { writeSync } from 'node:fs'
import { metaKey } from '../../dist/store/keys.js'
import { openStore } from '../../dist/store/open-store.js'

const [folder, last] = process.argv.slice(2)
// The retry alone does not keep a process alive; in the broker the listeners do.
const alive = setInterval(() => {}, 1000)
const store = await openStore({ folder, durability: 'fsync' })
store.commit.onFailure = (error) => writeSync(1, `failed ${error.message}\n`)
store.commit.onRecovery = () => writeSync(1, 'recovered\n')
// Bytes that do not compress, so that the limit on the size of a file is met.
let state = 1
const noise = Buffer.alloc(50_000)
for (let i = 0; i < noise.length; i++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  noise[i] = state >>> 16
}
for (let i = 1; i <= Number(last); i++) {
  store.commit.put(metaKey(`value-${i}`), noise)
  await store.commit.flush()
  writeSync(1, `${i}\n`)
}
await store.close()
clearInterval(alive)
