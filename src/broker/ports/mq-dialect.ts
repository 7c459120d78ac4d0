/** How topics and filters are written; what mqemitter takes as options. Default: MQTT's way. */
export interface MqDialect {
  /** Between levels. Default: `/`. */
  readonly separator?: string
  /** One level. Default: `+`. */
  readonly wildcardOne?: string
  /** The rest. Default: `#`. */
  readonly wildcardSome?: string
  /** Whether a wildcard for one level takes an empty level (MQTT-4.7.1-3). Default: true. */
  readonly matchEmptyLevels?: boolean
}

// No topic of MQTT contains it (MQTT-4.7.3-2), so it can stand for a `/` that is not a separator.
const SLASH_STAND_IN = '\u0000'

/** The router's form of a topic; undefined dialects cost nothing. */
export function topicIn(dialect: MqDialect, topic: string): string {
  const separator = dialect.separator ?? '/'
  if (separator === '/') return topic
  return topic.replaceAll('/', SLASH_STAND_IN).replaceAll(separator, '/')
}

/** The router's form of a filter. */
export function filterIn(dialect: MqDialect, filter: string): string {
  const { wildcardOne = '+', wildcardSome = '#' } = dialect
  const plain = topicIn(dialect, filter)
  if (wildcardOne === '+' && wildcardSome === '#') return plain
  return plain
    .split('/')
    .map((level) => (level === wildcardOne ? '+' : level === wildcardSome ? '#' : level))
    .join('/')
}

/** Whether a topic and a filter that match in the router's way match in this dialect too. Both in the router's form. */
export function emptyLevelsAgree(dialect: MqDialect, filter: string, topic: string): boolean {
  if (dialect.matchEmptyLevels !== false) return true
  const levels = topic.split('/')
  return !filter.split('/').some((level, place) => level === '+' && levels[place] === '')
}
