/**
 * @typedef {object} Table
 * @property {string} title
 * @property {string[]} head
 * @property {string[][]} rows the first two columns are words, the others are figures
 */

const words = 2

/** @param {Table} table */
export function asText({ title, head, rows }) {
  const widths = head.map((cell, n) => Math.max(cell.length, ...rows.map((row) => row[n]?.length ?? 0)))
  const line = (/** @type {string[]} */ cells) =>
    cells
      .map((cell, n) => (n < words ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
      .join('  ')
      .trimEnd()
  return [title, line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

/** @param {Table} table */
export function asMarkdown({ title, head, rows }) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`
  return [
    `### ${title}`,
    '',
    line(head),
    line(head.map((_, n) => (n < words ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n')
}
