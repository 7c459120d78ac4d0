// What the files of aedes' suite import, and what they get instead. Only imports made by the suite's own files are
// touched: the broker under test itself goes on extending the real aedes.
const REPLACED = new Map([
  ['../aedes.js', './broker.mjs'],
  ['../lib/client.js', './client.mjs'],
  ['node:test', './skipping-test.mjs'],
  ['node:timers/promises', './patient-timers.mjs'],
  ['timers/promises', './patient-timers.mjs'],
])

export async function resolve(specifier, context, nextResolve) {
  const replacement = context.parentURL?.includes('/node_modules/aedes/test/') ? REPLACED.get(specifier) : undefined
  if (replacement === undefined || (process.env.SLUICE_TEST_PEER === 'aedes' && specifier !== 'node:test')) {
    return nextResolve(specifier, context)
  }
  return { url: new URL(replacement, import.meta.url).href, shortCircuit: true }
}
