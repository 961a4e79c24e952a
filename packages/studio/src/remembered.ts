/** What this browser keeps: JSON in localStorage. A full or forbidden storage keeps nothing, and says so. */

const PREFIX = 'emend.'

/** What was kept under a name; undefined where there is nothing, or nothing readable. */
export function remembered<T>(name: string): T | undefined {
  try {
    const text = localStorage.getItem(PREFIX + name)
    return text === null ? undefined : (JSON.parse(text) as T)
  } catch {
    return undefined
  }
}

/** Keeps a value (undefined: forgets it). @returns whether it is kept */
export function remember(name: string, value: unknown): boolean {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + name)
    else localStorage.setItem(PREFIX + name, JSON.stringify(value))
    return true
  } catch {
    return false
  }
}

/** The names that begin so. */
export function rememberedNames(start: string): string[] {
  try {
    return Object.keys(localStorage)
      .filter(key => key.startsWith(PREFIX + start))
      .map(key => key.slice(PREFIX.length))
  } catch {
    return []
  }
}
