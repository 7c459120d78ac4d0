/**
 * How a topic with a dot becomes a routing key. `escape`: every topic has a key of its own, and comes back from it.
 * `rabbitmq`: as RabbitMQ does it, so that `a.b/c` and `a/b/c` are one key; the exact topic stands in a header alone.
 */
export type TopicConversion = 'escape' | 'rabbitmq'

/**
 * MQTT topics and AMQP routing keys are the same levels with another character in between: `a/b` is `a.b`, `+` is `*`.
 * What would be mistaken for something else on the other side is written as `%` and its two hexadecimal digits, so
 * that every topic comes back as it was, also one with dots; the empty key is the topic `%`.
 */
const EMPTY_KEY = '%'

export function keyOfTopic(topic: string, conversion: TopicConversion = 'escape'): string {
  if (!/[./%]/.test(topic)) return topic
  if (topic === EMPTY_KEY) return ''
  if (conversion === 'rabbitmq') return topic.replaceAll('/', '.')
  return topic.replaceAll(/%(?:2E|2F|2B|23|00|25)|[./]/g, (found) => {
    if (found === '/') return '.'
    if (found === '.') return '%2E'
    // An escape that this side had no need of stays what it is: it must come back as these three characters.
    return found === '%2E' || found === '%25' ? `%25${found.slice(1)}` : unescapeOne(found)
  })
}

/** Whatever the key is: the topic is one that MQTT allows. */
export function topicOfKey(key: string, conversion: TopicConversion = 'escape'): string {
  if (key === '') return EMPTY_KEY
  if (!/[./%+#\0]/.test(key)) return key
  return key.replaceAll(/%2E|%25|%(?=2F|2B|23|00)|[./+#\0]/g, (found) => {
    switch (found) {
      case '.':
        return '/'
      case '/':
        return conversion === 'escape' ? '%2F' : '/'
      case '+':
        return '%2B'
      case '#':
        return '%23'
      case '\0':
        return '%00'
      case '%2E':
        return '.'
      case '%25':
        return '%'
      default:
        return conversion === 'escape' ? '%25' : '%'
    }
  })
}

/** The binding key that means the same on `amq.topic` as a topic filter, in either conversion. */
export function keyOfFilter(filter: string): string {
  return filter === EMPTY_KEY ? '' : filter.split('/').map(wordOfLevel).join('.')
}

/** The topic filter that means the same as a binding key on `amq.topic`; `#` may stand anywhere in it. */
export function filterOfKey(key: string, conversion: TopicConversion = 'escape'): string {
  if (key === '') return EMPTY_KEY
  const words = key.split('.')
  return words.map((word) => levelOfWord(word, conversion)).join('/')
}

function wordOfLevel(level: string): string {
  if (level === '+') return '*'
  if (level === '*') return '%2A'
  return level === '#' || level === '' ? level : keyOfTopic(level)
}

function levelOfWord(word: string, conversion: TopicConversion): string {
  if (word === '*') return '+'
  if (word === '%2A') return '*'
  return word === '#' || word === '' ? word : topicOfKey(word, conversion)
}

function unescapeOne(escape: string): string {
  return String.fromCharCode(Number.parseInt(escape.slice(1), 16))
}
