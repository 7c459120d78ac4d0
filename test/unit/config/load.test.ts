import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../../src/base/errors.ts'
import { parseConfigFile } from '../../../src/config/file.ts'
import { configKeys } from '../../../src/config/keys.ts'
import { checkConfig, loadConfig } from '../../../src/config/load.ts'
import { type Config, defaultConfig } from '../../../src/config/schema.ts'

const read = (yaml: string): Config => checkConfig(parseConfigFile('sluice.yaml', yaml), [])

async function withFile<T>(text: string, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-config-'))
  try {
    const file = join(folder, 'sluice.yaml')
    await writeFile(file, text)
    return await use(file)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('a config file', () => {
  test('gives what it says and leaves the rest at its default', () => {
    const config = read('mqtt:\n  port: 1884\nlimits:\n  packetBytesMax: 1000\n')
    expect(config).toEqual({
      ...defaultConfig(),
      mqtt: { enabled: true, host: '127.0.0.1', port: 1884 },
      limits: { ...defaultConfig().limits, packetBytesMax: 1000 },
    })
  })

  test.each([
    ['nothing at all', ''],
    ['comments only', '# mqtt:\n'],
    ['an area without keys', 'limits:\n  # packetBytesMax: 5\n'],
  ])('with %s means the defaults', (_, yaml) => {
    expect(read(yaml)).toEqual(defaultConfig())
  })

  test.each([
    ['mqtt:\n  prot: 1\n', "sluice.yaml:2:3 mqtt: unrecognised key 'prot'; did you mean 'port'?"],
    ['\nlimit:\n  a: 1\n', "sluice.yaml:2:1: unrecognised key 'limit'; did you mean 'limits'?"],
    ['log:\n  nonsense: 1\n', "sluice.yaml:2:3 log: unrecognised key 'nonsense'; known are level"],
    ['mqtt:\n  port: 65536\n', 'sluice.yaml:2:9 mqtt.port: must be at most 65535, got 65536'],
    ['mqtt: { port: -1 }\n', 'sluice.yaml:1:15 mqtt.port: must be at least 0, got -1'],
    ['mqtt:\n  port: 1.5\n', 'sluice.yaml:2:9 mqtt.port: expected a whole number, got 1.5'],
    ['mqtt:\n  port: "1883"\n', "sluice.yaml:2:9 mqtt.port: expected a whole number, got '1883'"],
    ['mqtt:\n  port:\n', 'sluice.yaml:2:8 mqtt.port: expected a whole number, got nothing'],
    ['mqtt: 1883\n', 'sluice.yaml:1:7 mqtt: expected keys and values, got 1883'],
    ['mqtt:\n  - port: 1\n', 'sluice.yaml:2:3 mqtt: expected keys and values, got a list'],
    ['data: ""\n', "sluice.yaml:1:7 data: must not be empty, got ''"],
    ['durability: disk\n', "sluice.yaml:1:13 durability: expected one of fsync, os, memory, got 'disk'"],
    ['http:\n  enabled: perhaps\n', "sluice.yaml:2:12 http.enabled: expected true or false, got 'perhaps'"],
    ['- mqtt\n', 'sluice.yaml:1:1: expected keys and values, got a list'],
    ['just words\n', "sluice.yaml:1:1: expected keys and values, got 'just words'"],
    ['__proto__:\n  a: 1\n', "sluice.yaml:1:1: unrecognised key '__proto__'"],
    ['mqtt:\n  __proto__: 1\n', "sluice.yaml:2:3 mqtt: unrecognised key '__proto__'"],
    ['constructor: 1\n', "sluice.yaml:1:1: unrecognised key 'constructor'"],
  ])('with a mistake is refused with its place and a hint: %j', (yaml, message) => {
    expect(() => read(yaml)).toThrow(message)
  })

  test.each([
    ['mqtt:\n  port: [1\n', /^sluice\.yaml:3:1 not valid YAML: /],
    ['mqtt:\n  port: 1\n  port: 2\n', /^sluice\.yaml:3:3 not valid YAML: .*unique/],
    ['a: *nowhere\n', /^sluice\.yaml.* not valid YAML: /],
    ['---\na: 1\n---\nb: 1\n', /^sluice\.yaml:3:1 not valid YAML: /],
  ])('that is no YAML is refused in one line: %j', (yaml, message) => {
    let thrown: unknown
    try {
      read(yaml)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(UsageError)
    expect((thrown as Error).message).toMatch(message)
    expect((thrown as Error).message).not.toContain('\n')
  })

  test('that does not exist is named', async () => {
    const loading = loadConfig({ file: '/nowhere/sluice.yaml', environment: {} })
    await expect(loading).rejects.toThrow('cannot read the config file /nowhere/sluice.yaml: there is no such file')
  })
})

describe('loading', () => {
  test('takes the environment over the file and flags over the environment', async () => {
    const config = await withFile('mqtt:\n  port: 1\nhttp:\n  port: 1\nsys:\n  intervalSeconds: 1\n', (file) =>
      loadConfig({
        file,
        environment: { SLUICE_MQTT_PORT: '2', SLUICE_HTTP_PORT: '2' },
        flags: [{ path: ['http', 'port'], text: '3', source: '--http-port' }],
      }),
    )
    expect([config.sys.intervalSeconds, config.mqtt.port, config.http.port]).toEqual([1, 2, 3])
  })

  test('finds the file that the environment names', async () => {
    const config = await withFile('data: /elsewhere\n', (file) => loadConfig({ environment: { SLUICE_CONFIG: file } }))
    expect(config.data).toBe('/elsewhere')
  })

  test('names the flag, not the file, when the flag is wrong', async () => {
    const flags = [{ path: ['mqtt', 'port'], text: 'many', source: '--mqtt-port' }]
    const loading = withFile('mqtt:\n  port: 1\n', (file) => loadConfig({ file, environment: {}, flags }))
    await expect(loading).rejects.toThrow(/^--mqtt-port: expected a whole number, got 'many'$/)
  })
})

// Of keys that take one of several words.
const WORDS = new Map([
  ['level', 'debug'],
  ['queueOverflow', 'drop-oldest'],
  ['conversion', 'rabbitmq'],
])

describe('the environment', () => {
  test.each(configKeys())('reaches $name by $variable', async ({ path, variable, kind, byDefault }) => {
    const text =
      kind === 'number' ? String(byDefault === 0 ? 1 : Number(byDefault) - 1) : kind === 'boolean' ? 'false' : 'memory'
    const given = WORDS.get(path.at(-1) ?? '') ?? text
    const config = await loadConfig({ environment: { [variable]: given } })
    const value = path.reduce<unknown>((area, part) => (area as Record<string, unknown>)[part], config)
    expect(String(value)).toBe(given)
    expect(value).not.toEqual(byDefault)
  })

  test('refuses a variable that stands for nothing, with the nearest that does', async () => {
    const loading = loadConfig({ environment: { SLUICE_LIMITS_PACKET_BYTE_MAX: '1' } })
    await expect(loading).rejects.toThrow(
      'unknown environment variable SLUICE_LIMITS_PACKET_BYTE_MAX; did you mean SLUICE_LIMITS_PACKET_BYTES_MAX?',
    )
  })

  test('names the variable with a wrong value', async () => {
    const loading = loadConfig({ environment: { SLUICE_HTTP_ENABLED: 'yes' } })
    await expect(loading).rejects.toThrow("SLUICE_HTTP_ENABLED: expected true or false, got 'yes'")
  })

  test('counts an empty variable as not set', async () => {
    expect(await loadConfig({ environment: { SLUICE_MQTT_PORT: '', SLUICE_CONFIG: '' } })).toEqual(defaultConfig())
  })

  test('ignores what Kubernetes sets for a service called sluice', async () => {
    const environment = {
      SLUICE_SERVICE_HOST: '10.0.0.1',
      SLUICE_SERVICE_PORT: '1883',
      SLUICE_SERVICE_PORT_MQTT: '1883',
      SLUICE_PORT: 'tcp://10.0.0.1:1883',
      SLUICE_PORT_1883_TCP: 'tcp://10.0.0.1:1883',
      SLUICE_PORT_1883_TCP_PROTO: 'tcp',
      SLUICE_MQTT_PORT: 'tcp://10.0.0.1:1883',
    }
    expect(await loadConfig({ environment })).toEqual(defaultConfig())
  })
})
