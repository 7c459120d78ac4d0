const parts = 5

/**
 * Waits until `total` has been reached, and tells how fast each fifth of it went, in messages a second.
 *
 * @param {string} what
 * @param {number} total
 * @param {() => number} done
 * @param {number} startMs when the first fifth began
 */
export async function byFifths(what, total, done, startMs = performance.now()) {
  /** @type {number[]} */
  const rates = []
  let partMs = startMs
  let partDone = 0
  let last = { done: 0, ms: startMs }
  while (rates.length < parts) {
    await new Promise((next) => setTimeout(next, 2))
    const [now, nowMs] = [done(), performance.now()]
    if (now > last.done) last = { done: now, ms: nowMs }
    else if (nowMs - last.ms > 120_000) throw new Error(`${what} stands still at ${now} of ${total}`)
    while (rates.length < parts && now >= Math.ceil((total * (rates.length + 1)) / parts)) {
      // One look may see the end of several parts.
      if (now - partDone > 0) rates.push(((now - partDone) / (nowMs - partMs)) * 1000)
      else rates.push(rates.at(-1) ?? 0)
      partDone = now
      partMs = nowMs
    }
  }
  return { perSecond: (total / (performance.now() - startMs)) * 1000, fifths: rates }
}
