/**
 * Bytes as the wire cases write them: hex pairs (`30 0a`); raw ASCII in single quotes (`'abc'`); a string with its two
 * bytes of length in double quotes (`"a/b"`); `[ … ]` for bytes behind their length as a variable byte integer; and
 * `30*500` for one byte many times.
 */
export function bytes(notation: string): Buffer {
  const tokens = notation.match(/'[^']*'|"[^"]*"|\[|\]|[0-9a-f]{2}\*\d+|[0-9a-f]{2}|\S/g) ?? []
  const open: Buffer[][] = [[]]
  for (const token of tokens) {
    if (token === '[') {
      open.push([])
    } else if (token === ']') {
      const inner = Buffer.concat(open.pop() ?? [])
      open.at(-1)?.push(lengthOf(inner.length), inner)
    } else {
      open.at(-1)?.push(bytesOf(token))
    }
  }
  if (open.length !== 1) throw new Error(`brackets do not match: ${notation}`)
  return Buffer.concat(open[0] ?? [])
}

function bytesOf(token: string): Buffer {
  if (token.startsWith("'")) return Buffer.from(token.slice(1, -1), 'latin1')
  if (token.startsWith('"')) {
    const text = Buffer.from(token.slice(1, -1))
    return Buffer.concat([Buffer.from([text.length >> 8, text.length & 0xff]), text])
  }
  if (/^[0-9a-f]{2}\*\d+$/.test(token)) return Buffer.alloc(Number(token.slice(3)), Number.parseInt(token, 16))
  if (/^[0-9a-f]{2}$/.test(token)) return Buffer.from(token, 'hex')
  throw new Error(`not in the notation: ${token}`)
}

function lengthOf(length: number): Buffer {
  const result: number[] = []
  let rest = length
  do {
    result.push((rest % 128) + (rest >= 128 ? 128 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.from(result)
}
