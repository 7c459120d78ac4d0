import { readFileSync } from 'node:fs'

const ticksPerSecond = 100

/** CPU time of a process since its start, in seconds (user and system, all threads). @param {number} pid */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Resident memory of a process, in bytes. @param {number} pid */
export function residentBytes(pid) {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  if (!line) throw new Error(`no VmRSS of process ${pid}`)
  return Number(line[1]) * 1024
}

/** Memory when it has stopped moving, or when the time is up. @param {{ pid: number, settleSeconds: number }} job */
export async function settledBytes({ pid, settleSeconds }) {
  let last = residentBytes(pid)
  for (let seconds = 0, still = 0; seconds < settleSeconds && still < 2; seconds++) {
    await new Promise((next) => setTimeout(next, 1000))
    const now = residentBytes(pid)
    still = Math.abs(now - last) < 64 * 1024 ? still + 1 : 0
    last = now
  }
  return last
}

/**
 * How long the main thread of a process was ready to run and had no core, since its start, in ms: what others on the
 * machine cost it.
 *
 * @param {number} pid
 */
export function waitedMs(pid) {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6
}

/** What a process has had written to the disk since its start, in bytes. @param {number} pid */
export function writtenBytes(pid) {
  const line = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))
  if (!line) throw new Error(`no write_bytes of process ${pid}`)
  return Number(line[1])
}
