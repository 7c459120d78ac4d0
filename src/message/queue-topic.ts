/** Topics below it are no topics: what follows is the name of a queue, to publish into and to consume from. */
export const QUEUE_PREFIX = '$queue/'

/** The queue that a topic or a filter names, empty where nothing follows; undefined: it names none. */
export function queueNameOf(topic: string): string | undefined {
  return topic.startsWith(QUEUE_PREFIX) ? topic.slice(QUEUE_PREFIX.length) : undefined
}
