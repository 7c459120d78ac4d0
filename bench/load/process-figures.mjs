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
