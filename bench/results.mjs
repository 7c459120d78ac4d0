import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { page } from './page.mjs'
import { parts } from './parts/catalogue.mjs'

const folder = new URL('./results/', import.meta.url)
const pageFile = new URL('../docs/benchmarks.md', import.meta.url)
const fileOf = (/** @type {string} */ part) => new URL(`${part}.json`, folder)

/** What was measured of a part last; undefined: nothing yet. @param {string} part @returns {any} */
export function readResult(part) {
  const file = fileOf(part)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/** Keeps what was measured of a part, and writes the page anew from all parts. @param {string} part @param {object} result */
export function saveResult(part, result) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(fileOf(part), `${JSON.stringify(result, null, 2)}\n`)
  writePage()
}

/** docs/benchmarks.md, from what is in bench/results. */
export function writePage() {
  const measured = parts.flatMap((part) => {
    const result = readResult(part.name)
    return result === undefined ? [] : [{ part, result }]
  })
  writeFileSync(pageFile, page(measured))
}
