import { runCommand } from '../../../src/cli/command-line.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'

/** The flags of `sluice start` → what its help says of each, in one line. */
export async function startFlags(): Promise<Map<string, string>> {
  let said = ''
  const terminal: Terminal = {
    environment: {},
    isErrorTty: false,
    out: (text) => {
      said += text
    },
    err: () => {},
    exit: () => {},
    onSignal: () => {},
    onExit: () => {},
  }
  await runCommand(['start', '--help'], terminal)
  const [options = ''] = said.split('\nExamples:')
  const entries = options.split(/\n {2}(?=--)/).slice(1)
  return new Map(entries.map((entry) => [/^--[a-z-]+/.exec(entry)?.[0] ?? '', entry.replaceAll(/\s+/g, ' ')]))
}
