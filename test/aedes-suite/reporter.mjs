/** One line of JSON for each finished case; `run.mjs` reads them. */
export default async function* reporter(source) {
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { name, skip, details } = event.data
    if (details?.type === 'suite') continue
    const error = details?.error
    yield `${JSON.stringify({
      name,
      passed: event.type === 'test:pass',
      skip,
      error: error === undefined ? undefined : String(error.cause?.stack ?? error.cause ?? error.message),
    })}\n`
  }
}
