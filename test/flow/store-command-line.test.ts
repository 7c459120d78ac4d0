import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runCommand } from '../../src/cli/command-line.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { createBroker } from '../../src/index.ts'
import { openFolder } from '../../src/store/level/open-folder.ts'
import { Batch } from '../../src/store/batch.ts'
import { retainedKey } from '../../src/store/keys.ts'

let root: string
let data: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-store-'))
  data = join(root, 'data')
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

async function run(...args: string[]): Promise<{ output: string; errors: string; exitCode: number | undefined }> {
  const said = { output: '', errors: '', exitCode: undefined as number | undefined }
  const terminal: Terminal = {
    environment: {},
    isErrorTty: false,
    out: (text) => void (said.output += text),
    err: (text) => void (said.errors += text),
    exit: (code) => void (said.exitCode ??= code),
    onSignal: () => {},
    onExit: () => {},
  }
  await runCommand(['store', ...args], terminal)
  return said
}

async function withBroker(work: () => Promise<void> = async () => {}): Promise<void> {
  const broker = await createBroker({ data, durability: 'os' })
  await new Promise<void>((resolve) => {
    const packet = { cmd: 'publish', topic: 'state', payload: 'on', qos: 1, retain: true, dup: false } as const
    broker.publish(packet, () => resolve())
  })
  await work()
  await broker.close()
}

async function damage(): Promise<void> {
  const backend = await openFolder(data, true)
  const batch = new Batch()
  batch.put(retainedKey('state'), Buffer.from('no'))
  await new Promise((resolve) => backend.write(batch, resolve))
  await backend.close()
}

describe('sluice store', () => {
  test('check says what is there, and ends with 0', async () => {
    await withBroker()
    const said = await run('check', '--data', data)
    expect(said).toEqual({
      output: 'retained messages: 1\nnothing is damaged\n',
      errors: '',
      exitCode: undefined,
    })
  })

  test('check names what is damaged, and ends with 1', async () => {
    await withBroker()
    await damage()
    const { output, exitCode } = await run('check', '--data', data)
    expect(output).toContain("damaged:\n  retained messages: 'state': a stored message cannot be read (too short)\n")
    expect(exitCode).toBe(1)
    const json = await run('check', '--data', data, '--json')
    expect(JSON.parse(json.output)).toMatchObject({ damageCount: 1, kinds: { 'retained messages': { damaged: 1 } } })
    expect(json.exitCode).toBe(1)
  })

  test('check of a store whose database is gone says that, and not that it is empty', async () => {
    await withBroker()
    await rm(join(data, 'db'), { recursive: true })
    expect(await run('check', '--data', data)).toEqual({
      output: 'damaged:\n  folder db: is missing\n',
      errors: '',
      exitCode: 1,
    })
  })

  test('check names files by where the user has them', async () => {
    await withBroker()
    await rm(join(data, 'db', 'MANIFEST-000002'))
    const { output } = await run('check', '--data', data)
    expect(output).toContain('  file db/MANIFEST-000002: is missing, so that nothing of the database is found\n')
    expect(output).toContain(`IO error: ${join(data, 'db', 'MANIFEST-000002')}: No such file`)
  })

  test.each([['check', '--data'], ['restore']])('%s of a folder that is not there says so', async (...command) => {
    const nowhere = join(root, 'nowhere')
    const more = command.length === 1 ? ['--data', join(root, 'restored')] : []
    expect(await run(...command, nowhere, ...more)).toEqual({
      output: '',
      errors: `sluice: ${nowhere} does not exist; name the folder of a store\n`,
      exitCode: 1,
    })
  })

  test('check says which folder has no room for what it needs', async () => {
    await withBroker()
    const before = process.env['TMPDIR']
    process.env['TMPDIR'] = join(root, 'nowhere')
    const { errors } = await run('check', '--data', data)
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    expect(errors).toMatch(/^sluice: the copies by which the store is read cannot be written to .+nowhere: ENOENT.+\n$/)
  })

  test('check is refused while a broker runs, in one line', async () => {
    await withBroker(async () => {
      expect(await run('check', '--data', data)).toEqual({
        output: '',
        errors: `sluice: ${data} is in use by a running broker; stop it first\n`,
        exitCode: 1,
      })
    })
  })

  test('backup and restore bring everything to another folder', async () => {
    const [backup, restored] = [join(root, 'backup'), join(root, 'restored')]
    await withBroker(async () => {
      expect((await run('backup', backup, '--data', data)).output).toMatch(/^backed up \d+ records \(\d+ bytes\) to /)
    })
    expect((await run('restore', backup, '--data', restored)).output).toMatch(/^restored \d+ records/)
    expect((await run('check', '--data', restored)).output).toContain('retained messages: 1\n')
  })

  test('backup without a broker says so', async () => {
    await withBroker()
    const { errors, exitCode } = await run('backup', join(root, 'backup'), '--data', data)
    expect(errors).toContain(`sluice: no broker is running on ${data}`)
    expect(exitCode).toBe(1)
  })

  test('repair reports what is lost and saves the rest', async () => {
    await withBroker()
    await damage()
    const saved = join(root, 'saved')
    const { output, exitCode } = await run('repair', '--data', data, '--to', saved)
    expect(output).toContain("  retained messages: 'state': a stored message cannot be read")
    expect(output).toContain('retained messages: 0, 1 lost\n')
    expect(output).toContain(`what could be saved is in ${saved}\n`)
    expect(exitCode).toBe(3)
    expect((await run('check', '--data', saved)).output).toContain('nothing is damaged')
  })

  test('repair ends with 0 where nothing was damaged', async () => {
    await withBroker()
    const saved = join(root, 'saved')
    expect(await run('repair', '--data', data, '--to', saved)).toEqual({
      output: `settings: 1\nretained messages: 1\nnothing was damaged\nwhat could be saved is in ${saved}\n`,
      errors: '',
      exitCode: undefined,
    })
  })

  test('refuses the store of a newer version, with nothing changed', async () => {
    await withBroker()
    await writeFile(join(data, 'FORMAT'), 'sluice store 7\n')
    for (const command of [['check'], ['repair', '--to', join(root, 'saved')]]) {
      const { errors, exitCode } = await run(...command, '--data', data)
      expect(errors).toContain('was written by a newer Sluice (format 7')
      expect(exitCode).toBe(1)
    }
    expect(await readFile(join(data, 'FORMAT'), 'utf8')).toBe('sluice store 7\n')
  })

  test.each([
    [['repair'], "sluice: required option '--to <newfolder>' not specified; see sluice --help\n"],
    [['backup'], "sluice: missing required argument 'folder'; see sluice --help\n"],
    [['restore', 'backup'], "sluice: required option '--data <folder>' not specified; see sluice --help\n"],
    [[], 'sluice: the command is not complete; see sluice --help\n'],
    [['mend'], "sluice: unknown command 'mend'; see sluice --help\n"],
  ])('answers the mistake in %j with one line and exit code 2', async (args, line) => {
    expect(await run(...args)).toEqual({ output: '', errors: line, exitCode: 2 })
  })

  test('prints what it can do, with examples', async () => {
    const { output } = await run('--help')
    for (const command of ['check', 'repair', 'backup', 'restore']) expect(output).toContain(`\n  ${command} `)
    expect(output).toContain('Examples:')
  })
})
