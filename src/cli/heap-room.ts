import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'

const ROOM_BYTES = 96 * 1024 * 1024
// What V8 lets the heap grow by at most, of what was alive.
const PERCENT_OF_V8 = 300
const PERCENT_MAX = 1_000

/** A PerformanceEntry of type `gc`: Node's documentation has its detail, its types have not. */
interface CollectionEntry extends PerformanceEntry {
  readonly detail: { readonly kind: number }
}

/**
 * Lets more memory be used before V8 collects the whole heap. It waits until the heap and the buffers have grown by a
 * share of what is alive; a broker has little alive, and the buffers of the messages on their way alone are more than
 * that. A broker with much alive has enough room without. For a process that is the broker's own: the setting is that of
 * the whole process.
 */
export function giveHeapRoom(): void {
  const adapt = (): void => {
    // Not process.memoryUsage(), which opens a file and throws when the process has no descriptor left.
    const percent = Math.floor((ROOM_BYTES / getHeapStatistics().used_heap_size) * 100)
    // 0: as V8 thinks best.
    setFlagsFromString(`--heap-growing-percent=${percent > PERCENT_OF_V8 ? Math.min(percent, PERCENT_MAX) : 0}`)
  }
  adapt()
  // Right behind a collection what is used is what is alive.
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as CollectionEntry[]) {
      if (entry.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) adapt()
    }
  }).observe({ entryTypes: ['gc'] })
}
