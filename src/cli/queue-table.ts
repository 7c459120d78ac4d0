import { shortened, textWidth } from './queue-units.ts'

/** One column of a table. */
export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  /** Figures stand at the right of their column. */
  readonly isFigure?: boolean
  /** Where the terminal is too narrow, columns with a higher number are left out first; without one: never. */
  readonly leaveOut?: number
}

const GAP = '  '
const FIRST_COLUMN_MIN = 12

/**
 * Rows in aligned columns under a line of titles, none of them wider than `width` (undefined: any width is right). Where
 * it is too narrow, the first column is shortened and columns are left out.
 */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width: number | undefined): string {
  let shown = columns.map((column) => ({ column, cells: [column.title, ...rows.map(column.cell)] }))
  let widths = shown.map(({ cells }) => widest(cells))
  if (width !== undefined) {
    while (least(widths) > width) {
      const out = Math.max(...shown.map(({ column }) => column.leaveOut ?? 0))
      if (out === 0) break
      shown = shown.filter(({ column }) => column.leaveOut !== out)
      widths = shown.map(({ cells }) => widest(cells))
    }
    const first = widths[0] ?? 0
    widths[0] = Math.min(first, Math.max(1, width - (total(widths) - first)))
  }
  const lines = [0, ...rows.map((_, index) => index + 1)].map((line) => {
    const cells = shown.map(({ column, cells: all }, place) => {
      const text = shortened(all[line] ?? '', widths[place] ?? 0)
      const room = ' '.repeat(Math.max(0, (widths[place] ?? 0) - textWidth(text)))
      return column.isFigure === true ? room + text : text + room
    })
    return cells.join(GAP).trimEnd()
  })
  return `${lines.join('\n')}\n`
}

/** With the first column as short as it may be. */
function least(widths: readonly number[]): number {
  const first = widths[0] ?? 0
  return total(widths) - first + Math.min(first, FIRST_COLUMN_MIN)
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, each) => sum + each, 0) + GAP.length * Math.max(0, widths.length - 1)
}

function widest(cells: readonly string[]): number {
  let width = 0
  for (const cell of cells) width = Math.max(width, textWidth(cell))
  return width
}
