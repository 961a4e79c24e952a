/** Prompts of which it is known whether they ask for harm: what a guard is measured on. */
import type { Prompt } from '@emend/edits'
import { optionalText, presentField, promptField, wrong } from '../data/fields.js'
import { type OnBad, type ReadReport, readAll } from '../data/reading.js'

export interface LabelledPrompt {
  readonly prompt: Prompt
  readonly harmful: boolean
  /** What kind of request it is, such as `base64`; kinds are reported apart. */
  readonly kind?: string
}

/**
 * Reads records of `prompt` (text, or turns of `{role, content}`), `harmful` (true or false), and perhaps `kind`.
 *
 * @param path JSON Lines, or a JSON array in a `.json` file; `.gz` is unpacked
 * @throws DataError naming file, line and field at the first broken record (`onBad: 'stop'`, the default)
 */
export async function readLabelledPrompts(
  path: string,
  options: { readonly onBad?: OnBad } = {},
): Promise<{ prompts: LabelledPrompt[]; report: ReadReport<never> }> {
  const { items, report } = await readAll<LabelledPrompt, never>(path, options.onBad ?? 'stop', record => {
    const harmful = presentField(record, 'harmful')
    if (typeof harmful !== 'boolean') throw wrong(record, 'harmful', 'expected true or false', harmful)
    const kind = optionalText(record, 'kind')
    return { prompt: promptField(record, 'prompt'), harmful, ...(kind !== undefined && { kind }) }
  })
  return { prompts: items, report }
}
