import { fileURLToPath } from 'node:url'
import { cores, launch } from './brokers/process.mjs'

const program = fileURLToPath(new URL('./load/main.mjs', import.meta.url))

/**
 * Runs the load generator in its own process, on its own core.
 *
 * @param {Record<string, unknown>} job
 * @returns {Promise<import('./measure.mjs').Outcome>} what it prints at its end
 */
export function generate(job) {
  return startGenerator(job).outcome
}

/** The same, with a way to end it early: it then prints what it has so far. @param {Record<string, unknown>} job */
export function startGenerator(job) {
  return startProgram(cores.generator, [process.execPath, program, JSON.stringify(job)], 'the load generator')
}

/**
 * Runs a program that prints JSON at its end.
 *
 * @param {number} core
 * @param {string[]} command
 * @param {string} name for the message when it fails
 */
export function startProgram(core, command, name) {
  const child = launch(core, command)
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const outcome = new Promise((resolve, reject) => {
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output))
      else reject(new Error(/^\w*Error: .*$/m.exec(errors)?.[0] ?? `${name} ended with ${code}: ${errors}`))
    })
  })
  return { outcome, end: () => child.kill('SIGTERM') }
}
