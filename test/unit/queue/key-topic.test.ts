import fc from 'fast-check'
import { expect, test } from 'vitest'
import { filterOfKey, keyOfFilter, keyOfTopic, topicOfKey } from '../../../src/message/key-topic.ts'
import { matchesLevels, filterLevels, topicLevels } from '../../../src/router/level.ts'
import '../../support/property-runs.ts'

const character = fc.constantFrom('a', '/', '.', '%', '2', 'E', 'F', 'B', '3', '0', '5', '*', ' ', '$')
const topic = fc.array(character, { minLength: 1, maxLength: 12 }).map((list) => list.join(''))

test.each([
  ['a/b', 'a.b'],
  ['a.b/c', 'a%2Eb.c'],
  ['/a//', '.a..'],
  ['%2E', '%252E'],
  ['100%', '100%'],
])('the topic %s is the key %s', (name, key) => {
  expect(keyOfTopic(name)).toBe(key)
  expect(topicOfKey(key)).toBe(name)
})

test.each([
  ['a/b', 'a%2Fb'],
  ['a+#', 'a%2B%23'],
  ['', '%'],
])('the key %j is the topic %s, which is valid', (key, name) => {
  expect(topicOfKey(key)).toBe(name)
  expect(keyOfTopic(name)).toBe(key)
})

test('every topic comes back as it was', () => {
  fc.assert(
    fc.property(topic, (name) => {
      expect(topicOfKey(keyOfTopic(name))).toBe(name)
    }),
  )
})

test('a filter and its binding key match the same topics', () => {
  const level = fc.oneof(
    fc.constantFrom('+', '*', '#'),
    topic.map((text) => text.replaceAll('/', 'x')),
  )
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 4 }), topic, (levels, name) => {
      const filter = levels.join('/')
      const there = filterOfKey(keyOfFilter(filter))
      const names = topicLevels(name)
      expect(matchesLevels(filterLevels(there), names, 0)).toBe(matchesLevels(filterLevels(filter), names, 0))
    }),
  )
})

test.each([
  ['a.b/c', 'a.b.c', 'a/b/c'],
  ['a%2Eb', 'a%2Eb', 'a.b'],
  ['100%', '100%', '100%'],
])("in RabbitMQ's conversion the topic %s is the key %s, which is the topic %s", (name, key, back) => {
  expect(keyOfTopic(name, 'rabbitmq')).toBe(key)
  expect(topicOfKey(key, 'rabbitmq')).toBe(back)
})

test("in RabbitMQ's conversion a key still becomes a topic that MQTT allows", () => {
  expect(topicOfKey('a/b.+#\0', 'rabbitmq')).toBe('a/b/%2B%23%00')
  expect(topicOfKey('', 'rabbitmq')).toBe('%')
})

test('a binding made from a filter means that filter in either conversion', () => {
  for (const filter of ['a.b/+/#', '+/x*/*', '%', 'a%25/b']) {
    expect(filterOfKey(keyOfFilter(filter), 'rabbitmq')).toBe(filterOfKey(keyOfFilter(filter)))
    expect(filterOfKey(keyOfFilter(filter))).toBe(filter)
  }
})
