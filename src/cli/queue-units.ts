const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
// Marks that are drawn over the character before them, and what joins characters.
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u
// East Asian characters and emoji.
const TWO_COLUMNS =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u
const BYTE_UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

/** `0.3 s`, `45 s`, `12 min`, `3 h 20 min`, `4 d 3 h`. */
export function duration(ms: number): string {
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`
  if (ms < 2 * MINUTE) return `${Math.round(ms / SECOND)} s`
  if (ms < 2 * HOUR) return `${Math.round(ms / MINUTE)} min`
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} min`
  return `${count(Math.floor(ms / DAY))} d ${Math.floor((ms % DAY) / HOUR)} h`
}

/** `1,234` */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** Of messages: `1 message`, `1,234 messages`. */
export function messages(value: number): string {
  return `${count(value)} ${value === 1 ? 'message' : 'messages'}`
}

/** Messages a second. */
export function rate(value: number): string {
  if (value > 0 && value < 0.1) return '<0.1'
  return value === 0 || value >= 100 ? count(value) : value.toFixed(1)
}

/** `812 bytes`, `2.3 MiB` */
export function bytes(value: number): string {
  let [amount, unit] = [value, 0]
  for (; amount >= 1024 && unit < BYTE_UNITS.length - 1; unit++) amount /= 1024
  return `${unit === 0 ? count(amount) : amount.toFixed(1)} ${BYTE_UNITS[unit]}`
}

/** A text from the wire for a terminal: what would move the cursor or turn the line around is written out. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, escaped)
}

/** The same for a text of several lines. */
export function visibleLines(text: string): string[] {
  return text
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.split('\t').map(visible).join('  '))
}

/** Columns of a terminal that a visible text takes. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/** At most `width` columns of a visible text, with `…` at its end where something is left out. */
export function shortened(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  let [shown, room] = ['', Math.max(0, width - 1)]
  for (const character of text) {
    room -= characterWidth(character)
    if (room < 0) break
    shown += character
  }
  return `${shown}…`
}

function characterWidth(character: string): number {
  if (NO_WIDTH.test(character)) return 0
  return TWO_COLUMNS.test(character) ? 2 : 1
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
