import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../../src/base/errors.ts'
import { runCommand } from '../../../src/cli/command-line.ts'
import type { StartBroker } from '../../../src/cli/running-broker.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'
import type { Config } from '../../../src/config/schema.ts'

class FakeTerminal implements Terminal {
  readonly environment: Record<string, string> = {}
  readonly isErrorTty = false
  output = ''
  errors = ''
  exitCode: number | undefined
  signals: string[] = []

  out(text: string): void {
    this.output += text
  }

  err(text: string): void {
    this.errors += text
  }

  exit(code: number): void {
    this.exitCode ??= code
  }

  onSignal(signal: string): void {
    this.signals.push(signal)
  }

  onExit(): void {}
}

async function run(args: string, startBroker?: StartBroker): Promise<FakeTerminal> {
  const terminal = new FakeTerminal()
  await runCommand(args.split(' ').filter(Boolean), terminal, async () => {
    if (startBroker === undefined) throw new Error('no broker was to be started')
    return startBroker
  })
  return terminal
}

async function configOf(args: string): Promise<Config | undefined> {
  let seen: Config | undefined
  await run(`start --log-level silent ${args}`, async (config) => {
    seen = config
    return { addresses: [], close: async () => {} }
  })
  return seen
}

describe('sluice', () => {
  test.each(['', '--help'])('prints what it is and what it can do for %j', async (args) => {
    const { output, errors, exitCode } = await run(args)
    expect(output).toMatch(/^Usage: sluice [^]*Commands:\n {2}start .*[^]*sluice start --help/)
    expect([errors, exitCode]).toEqual(['', undefined])
  })

  test('prints each flag of start with its default and examples', async () => {
    const { output } = await run('start --help')
    for (const flag of ['config', 'host', 'mqtt-port', 'http-port', 'data', 'memory', 'durability', 'log-level']) {
      expect(output).toContain(`--${flag} `)
    }
    expect(output).toContain('Examples:')
  })

  test('prints its version alone', async () => {
    expect((await run('--version')).output).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test.each([
    ['strat', "sluice: unknown command 'strat' (Did you mean start?); see sluice --help\n"],
    ['start --mqtt-prot 1', "sluice: unknown option '--mqtt-prot' (Did you mean --mqtt-port?); see sluice --help\n"],
    ['start now', "sluice: too many arguments for 'start'. Expected 0 arguments but got 1; see sluice --help\n"],
    ['start --config', "sluice: option '--config <file>' argument missing; see sluice --help\n"],
    ['start --mqtt-port 65536', 'sluice: --mqtt-port: must be at most 65535, got 65536\n'],
    ['start --mqtt-port 0x10', "sluice: --mqtt-port: expected a whole number, got '0x10'\n"],
    ['start --durability disk', "sluice: --durability: expected one of fsync, os, memory, got 'disk'\n"],
    [
      'start --memory --data x',
      "sluice: option '--memory' cannot be used with option '--data <folder>'; see sluice --help\n",
    ],
    ['start --config /nowhere.yaml', 'sluice: cannot read the config file /nowhere.yaml: there is no such file\n'],
  ])('answers the mistake in "%s" with one line and exit code 2', async (args, line) => {
    const { output, errors, exitCode } = await run(args)
    expect([output, errors, exitCode]).toEqual(['', line, 2])
  })
})

describe('sluice start', () => {
  test('prints one line for each address, and nothing else, on standard output', async () => {
    const { output, exitCode } = await run('start --log-level silent', async () => ({
      addresses: [{ url: 'mqtt://127.0.0.1:1883' }, { url: 'ws://127.0.0.1:8080/mqtt' }],
      close: async () => {},
    }))
    expect(output).toBe('listening mqtt://127.0.0.1:1883\nlistening ws://127.0.0.1:8080/mqtt\n')
    expect(exitCode).toBeUndefined()
  })

  test('is ready for signals while the broker is still starting', async () => {
    const terminal = new FakeTerminal()
    let signals: string[] = []
    await runCommand(['start', '--log-level', 'silent'], terminal, async () => async () => {
      await Promise.resolve()
      signals = [...terminal.signals]
      return { addresses: [], close: async () => {} }
    })
    expect(signals).toEqual(['SIGINT', 'SIGTERM'])
  })

  test('passes every flag on', async () => {
    const config = await configOf('--host ::1 --mqtt-port 1 --http-port 2 --data there --durability os')
    expect(config).toMatchObject({
      mqtt: { host: '::1', port: 1 },
      http: { host: '::1', port: 2 },
      data: 'there',
      durability: 'os',
      log: { level: 'silent' },
    })
  })

  test('takes --memory as durability memory', async () => {
    expect((await configOf('--memory'))?.durability).toBe('memory')
  })

  test('answers a broker that cannot start with its one line and exit code 1', async () => {
    const { errors, exitCode } = await run('start --log-level silent', async () => {
      throw new SluiceError('PORT_IN_USE', 'cannot listen on 127.0.0.1:1883: the port is in use')
    })
    expect([errors, exitCode]).toEqual(['sluice: cannot listen on 127.0.0.1:1883: the port is in use\n', 1])
  })

  test('shows the stack of a fault that nobody foresaw', async () => {
    const { errors, exitCode } = await run('start --log-level silent', async () => {
      throw new TypeError('unforeseen')
    })
    expect(errors).toMatch(/^sluice: TypeError: unforeseen\n {4}at /)
    expect(exitCode).toBe(1)
  })
})
