import { describe, expect, test } from 'vitest'
import { Board } from './board.ts'

describe.each(['thermostat', 'gps-tracker'] as const)('the command line of %s', (name) => {
  test.each(
    [
      ['--bogus'],
      ['--port', '0'],
      ['--port', 'x'],
      ['--port', '65536'],
      ['--count', '-1'],
      ['--count', '1.5'],
      ['--interval', '0'],
      ['--interval', 'often'],
      ['--id', 'a/b'],
      ['--host', ''],
      ['extra'],
    ].map((args) => ({ args, given: args.join(' ') })),
  )('answers $given with one line and exit code 2', async ({ args }) => {
    const wrong = new Board(name, ...args)
    expect([await wrong.exitCode(), wrong.errors, wrong.output]).toEqual([
      2,
      [expect.stringMatching(new RegExp(`^${name}: `))],
      [],
    ])
  })

  test('explains its flags and its topics', async () => {
    const asked = new Board(name, '--help')
    expect(await asked.exitCode()).toBe(0)
    for (const flag of ['--host', '--port', '--id', '--count', '--interval', '--help']) {
      expect(asked.output.join('\n')).toContain(flag)
    }
    expect(asked.output).toContainEqual(expect.stringMatching(/^ {2}\w+\/ID\/status /))
  })
})
