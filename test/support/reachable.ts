/** A container that was found, and where. */
export interface Found {
  readonly path: string
  readonly size: number
}

const isPlainBytes = (value: object): boolean => ArrayBuffer.isView(value) || value instanceof ArrayBuffer

/** All maps, sets and arrays that can be reached from an object, with how many things are in each. */
export function reachableContainers(root: object): Map<object, Found> {
  const found = new Map<object, Found>()
  const seen = new Set<object>([root])
  const queue: [value: object, path: string][] = [[root, '']]
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || seen.has(value) || isPlainBytes(value)) return
    seen.add(value)
    queue.push([value, path])
  }
  for (let at = 0; at < queue.length; at++) {
    const [value, path] = queue[at] as [object, string]
    if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
      found.set(value, { path, size: Array.isArray(value) ? value.length : value.size })
    }
    if (value instanceof Map) for (const key of value.keys()) visit(key, `${path}[key]`)
    if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
      for (const one of value.values()) visit(one, `${path}[]`)
      continue
    }
    const keys = Reflect.ownKeys(value)
    found.set(value, { path, size: keys.length })
    for (const key of keys) {
      const { value: property } = Object.getOwnPropertyDescriptor(value, key) ?? {}
      visit(property, `${path}.${String(key)}`)
    }
  }
  return found
}
