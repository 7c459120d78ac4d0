import type { Command } from 'commander'
import type { Terminal } from './terminal.ts'

const DATA = ['--data <folder>', 'folder of the store', './sluice-data'] as const

// Other than that of a failure, so that a script knows that there is a new folder.
const DAMAGED_EXIT_CODE = 3

const EXAMPLES = `
Examples:
  sluice store check --data /var/lib/sluice                 what is in the store, and what of it is damaged
  sluice store backup /backups/monday --data /var/lib/sluice   while the broker runs
  sluice store restore /backups/monday --data /var/lib/sluice2
  sluice store repair --data /var/lib/sluice --to /var/lib/sluice2

More: docs/store.md
`

/** What `check` and `repair` found. */
interface Report {
  readonly kinds: ReadonlyMap<string, { readonly good: number; readonly leftover: number; readonly damaged: number }>
  readonly damage: readonly string[]
  readonly damageCount: number
}

export function addStoreCommand(program: Command, terminal: Terminal): void {
  const store = program.command('store').description('check, repair, back up and restore a store on disk')
  store.addHelpText('after', EXAMPLES)
  store
    .command('check')
    .description('say what is in the store of a broker that is stopped, and what is damaged (exit code 1)')
    .option(...DATA)
    .option('--json', 'print one JSON object')
    .action(async ({ data, json }: { data: string; json?: true }) => {
      const { checkStore } = await import('../maintenance.ts')
      const report = await checkStore(data)
      if (json === true) terminal.out(`${JSON.stringify(toJson(report))}\n`)
      else terminal.out(`${table(report)}${report.damageCount === 0 ? 'nothing is damaged\n' : damage(report)}`)
      if (report.damageCount > 0) terminal.exit(1)
    })
  store
    .command('repair')
    .description('save what can be saved of a store into a new folder (exit code 3: something was damaged)')
    .option(...DATA)
    .requiredOption('--to <newfolder>', 'where to save it: a new or an empty folder')
    .action(async ({ data, to }: { data: string; to: string }) => {
      const { repairStore } = await import('../maintenance.ts')
      const report = await repairStore(data, to)
      const lost = report.damageCount === 0 ? 'nothing was damaged\n' : damage(report)
      terminal.out(`${table(report, 'lost')}${lost}what could be saved is in ${to}\n`)
      if (report.damageCount > 0) terminal.exit(DAMAGED_EXIT_CODE)
    })
  store
    .command('backup')
    .description('have the running broker write everything it has acknowledged into a new folder')
    .argument('<folder>', 'a new or an empty folder')
    .option(...DATA)
    .action(async (folder: string, { data }: { data: string }) => {
      const { backupStore } = await import('../maintenance.ts')
      const { entries, bytes } = await backupStore(data, folder)
      terminal.out(`backed up ${entries} records (${bytes} bytes) to ${folder}\n`)
    })
  store
    .command('restore')
    .description('make a data folder of a backup')
    .argument('<backup>', 'folder that sluice store backup has written')
    .requiredOption('--data <folder>', 'a new or an empty folder')
    .action(async (backup: string, { data }: { data: string }) => {
      const { restoreStore } = await import('../maintenance.ts')
      const { entries, bytes } = await restoreStore(backup, data)
      terminal.out(`restored ${entries} records (${bytes} bytes) to ${data}\n`)
    })
  for (const command of store.commands) {
    command.copyInheritedSettings(store).helpOption('--help', 'print this help')
  }
}

/** `damaged`: what is said of what is. */
function table({ kinds, damageCount }: Report, damaged = 'damaged'): string {
  const rows = [...kinds].map(([name, { good, leftover, damaged: count }]) => {
    const rest = leftover === 0 ? '' : `, ${leftover} left over (the next start deletes them)`
    return `${name}: ${good}${rest}${count === 0 ? '' : `, ${count} ${damaged}`}\n`
  })
  if (rows.length > 0) return rows.join('')
  return damageCount === 0 ? 'the store is empty\n' : ''
}

function damage({ damage: lines, damageCount }: Report): string {
  const more = damageCount > lines.length ? `… and ${damageCount - lines.length} more\n` : ''
  return `damaged:\n${lines.map((line) => `  ${line}\n`).join('')}${more}`
}

function toJson({ kinds, damage: lines, damageCount }: Report): object {
  return { damageCount, damage: lines, kinds: Object.fromEntries(kinds) }
}
