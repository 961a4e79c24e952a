/** The stored record of an edit: characters, no tokenizer; its schema, and how one is made. */
import { z } from 'zod'
import { verifyOps } from './apply.js'
import { diffTexts } from './diff.js'
import { contentId } from './identity.js'
import type { EditOp, Prompt } from './operations.js'

const range = z.tuple([z.int().nonnegative(), z.int().nonnegative()]).readonly().describe('UTF-16 units, [start, end)')

const wellFormed = z
  .string()
  .refine(text => text.isWellFormed(), 'holds a lone surrogate; call toWellFormed() on it first')

export const promptSchema = z.union([
  wellFormed,
  z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: wellFormed }).readonly()).readonly(),
])

/** One edit as it is stored. `parseEdit` reads it and names what is wrong. */
export const editSchema = z
  .object({
    id: z.string().min(1).describe('made from the content by makeEdit; any unique text will do'),
    prompt: promptSchema,
    draft: wellFormed,
    final: wellFormed,
    ops: z
      .array(z.object({ op: z.enum(['insert', 'delete', 'replace']), draft: range, final: range }).readonly())
      .readonly()
      .describe('ordered, disjoint; replayed on the draft they give the final text'),
    by: z
      .object({ kind: z.enum(['person', 'model', 'script']), name: z.string().min(1), version: z.string().optional() })
      .readonly(),
    at: z.iso.datetime({ offset: true }).describe('ISO 8601'),
    seconds: z.number().nonnegative().optional().describe('how long the edit took'),
    reasons: z.array(z.string()).readonly().optional(),
    sampled: z
      .object({
        ids: z.array(z.int().nonnegative()).readonly(),
        tokenizer: z.string().describe('fingerprint'),
        ended: z.boolean().describe('whether the end-of-text token was produced'),
        model: z.string(),
      })
      .readonly()
      .optional()
      .describe('the draft as it was generated'),
  })
  .readonly()

/** An edit: draft, final, the operations between them, and where they come from. */
export type Edit = z.infer<typeof editSchema>

/** What `makeEdit` needs to know. */
export interface NewEdit {
  readonly draft: string
  readonly final: string
  /** Default: the empty text. */
  readonly prompt?: Prompt
  readonly by: Edit['by']
  /** ISO 8601; default: now. */
  readonly at?: string
  readonly seconds?: number
  readonly reasons?: readonly string[]
  readonly sampled?: Edit['sampled']
  /** Default: made from all the rest but `at` and `seconds`, so that the same edit read twice is the same. */
  readonly id?: string
}

/**
 * Makes an edit: texts well-formed, operations found, an id by content.
 *
 * @returns the edit, and how many lone surrogates were replaced by U+FFFD in prompt, draft and final together
 * @throws Error naming the field that is wrong
 */
export function makeEdit(input: NewEdit): { edit: Edit; repaired: number } {
  let repaired = 0
  const mend = (text: string) => {
    // What is no text is left to parseEdit, which names the field.
    if (typeof text !== 'string') return text
    const mended = text.toWellFormed()
    if (mended !== text) for (let i = 0; i < text.length; i++) if (text[i] !== mended[i]) repaired++
    return mended
  }
  const { prompt = '', at = new Date().toISOString(), by, seconds, reasons, sampled } = input
  const draft = mend(input.draft)
  const final = mend(input.final)
  const mendedPrompt: Prompt = Array.isArray(prompt)
    ? prompt.map(turn => ({ ...turn, content: mend(turn?.content) }))
    : mend(prompt as string)
  const id = input.id ?? contentId(JSON.stringify([mendedPrompt, draft, final, by, reasons, sampled]))
  const edit = {
    id,
    prompt: mendedPrompt,
    draft,
    final,
    ops: typeof draft === 'string' && typeof final === 'string' ? diffTexts(draft, final) : [],
    by,
    at,
    ...(seconds !== undefined && { seconds }),
    ...(reasons && { reasons }),
    ...(sampled && { sampled }),
  }
  return { edit: parseEdit(edit), repaired }
}

/**
 * Reads a stored record.
 *
 * @param where what to call the record in an error, such as `edits.jsonl:12`
 * @throws Error of one line naming the record, the field, what was got and what was expected
 */
export function parseEdit(value: unknown, where = 'edit'): Edit {
  const parsed = editSchema.safeParse(value)
  if (!parsed.success) throw new Error(`${where}: ${describeIssues(parsed.error)}`)
  const edit = parsed.data
  try {
    verifyOps(edit.draft, edit.final, edit.ops as readonly EditOp[])
  } catch (error) {
    throw new Error(`${where}: field ${(error as Error).message}`)
  }
  return edit
}

/** The issues of a failed parse in one line, each with the path of its field. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => {
      const field = path
        .map((key, i) => (typeof key === 'number' ? `[${key}]` : i ? `.${String(key)}` : String(key)))
        .join('')
      return field ? `field ${field}: ${lowered(message)}` : lowered(message)
    })
    .join('; ')
}

function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1)
}
