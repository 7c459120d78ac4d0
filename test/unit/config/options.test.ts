import { describe, expect, test } from 'vitest'
import { configFromOptions, type LibraryOptions } from '../../../src/config/options.ts'
import { defaultConfig } from '../../../src/config/schema.ts'

describe('options of the library', () => {
  test('open no listener that was not asked for', () => {
    const config = configFromOptions({ memory: true })
    expect([config.mqtt.enabled, config.http.enabled]).toEqual([false, false])
  })

  test('open the listeners that were asked for', () => {
    const config = configFromOptions({ mqtt: { port: 0 }, http: {} })
    expect(config.mqtt).toEqual({ enabled: true, host: '127.0.0.1', port: 0 })
    expect(config.http).toEqual(defaultConfig().http)
  })

  test('store as the command line does unless told otherwise', () => {
    const { data, durability } = configFromOptions()
    expect([data, durability]).toEqual(['./sluice-data', 'fsync'])
  })

  test('take memory: true as durability memory', () => {
    expect(configFromOptions({ memory: true }).durability).toBe('memory')
  })

  test('change one limit and keep the others', () => {
    const { limits } = configFromOptions({ limits: { topicLevelsMax: 3 } })
    expect(limits).toEqual({ ...defaultConfig().limits, topicLevelsMax: 3 })
  })

  test.each<[unknown, string]>([
    [{ limits: { topicLevelsMax: 0 } }, 'option limits.topicLevelsMax: must be at least 1, got 0'],
    [{ mqtt: { prot: 1 } }, "option mqtt: unrecognised key 'prot'; did you mean 'port'?"],
    [{ date: 'x' }, "options: unrecognised key 'date'; did you mean 'data'?"],
    [{ memory: true, data: 'x' }, 'options memory: true and data or durability exclude each other'],
    [{ memory: true, durability: 'os' }, 'options memory: true and data or durability exclude each other'],
    [{ memory: 'yes' }, "option memory: expected true or false, got 'yes'"],
  ])('with a mistake are refused by name: %j', (options, message) => {
    expect(() => configFromOptions(options as LibraryOptions)).toThrow(message)
  })
})
