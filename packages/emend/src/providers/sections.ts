/** Texts of others inside a prompt, between tags that they do not hold themselves: what they say cannot end them. */

/** A tag for texts that none of them spells: the name, or the name with the first number that is free. */
export function tagFor(name: string, ...texts: readonly string[]): string {
  const spelled = new RegExp(`</?${name}(?:-(\\d+))?\\s*>`, 'gi')
  const taken = new Set(texts.flatMap(text => Array.from(text.matchAll(spelled), ([, n]) => Number(n ?? 1))))
  let n = 1
  while (taken.has(n)) n++
  return n === 1 ? name : `${name}-${n}`
}

/** `<name>\ntext\n</name>`; the name gets a number where the text spells the tag. */
export function section(name: string, text: string): string {
  const tag = tagFor(name, text)
  return `<${tag}>\n${text}\n</${tag}>`
}

/** The first section of each name, in one pass: what looks like a section inside another one is its text. */
export function readSections<N extends string>(names: readonly N[], text: string): Partial<Record<N, string>> {
  const opening = new RegExp(`<((${names.join('|')})(?:-\\d+)?)>`, 'g')
  const found: Partial<Record<N, string>> = {}
  for (let open = opening.exec(text); open; open = opening.exec(text)) {
    const [, tag, name] = open as unknown as [string, string, N]
    const end = text.indexOf(`</${tag}>`, opening.lastIndex)
    if (end < 0) continue
    found[name] ??= text.slice(opening.lastIndex, end).replace(/^\n/, '').replace(/\n$/, '')
    opening.lastIndex = end + tag.length + 3
  }
  return found
}

/** The text of the first section of a name; undefined where there is none. */
export const readSection = (name: string, text: string): string | undefined => readSections([name], text)[name]
