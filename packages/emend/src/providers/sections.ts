/** Texts of others inside a prompt, between tags that they do not hold themselves: what they say cannot end them. */

/** `<name>\ntext\n</name>`; the name gets a number where the text spells its end. */
export function section(name: string, text: string): string {
  let tag = name
  for (let i = 2; text.includes(`</${tag}>`); i++) tag = `${name}-${i}`
  return `<${tag}>\n${text}\n</${tag}>`
}

/** The text of the first section of a name; undefined where there is none. */
export function readSection(name: string, text: string): string | undefined {
  return new RegExp(`<(${name}(?:-\\d+)?)>\\n?([\\s\\S]*?)\\n?</\\1>`).exec(text)?.[2]
}
