/** How long each checker runs; 0: the short form. Set by `npm run test:crash -- --minutes N`. */
export const checkerMinutes = Number(process.env['CRASH_CHECKER_MINUTES'] ?? 0)

/** The seed that was asked for with `--seed N`, or a new one. */
export function checkerSeed(): number {
  const given = process.env['CRASH_CHECKER_SEED']
  return given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given)
}

/** What to tell whoever looks at a failure. */
export function repeatedBy(seed: number): string {
  const minutes = checkerMinutes > 0 ? ` --minutes ${checkerMinutes}` : ''
  return `seed ${seed}: repeat with npm run test:crash -- --seed ${seed}${minutes}`
}
