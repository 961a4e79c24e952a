/** What the page may send: schemas of the bodies, and the refusals that name a field. */
import { z } from 'zod'
import { wrongField } from '../api-error.js'

const name = z.string().trim().min(1).max(80)
const text = z.string().refine(value => value.isWellFormed(), 'holds a lone surrogate')
const id = z.string().min(1).max(200)
const who = { annotator: name.optional(), window: z.string().min(1).max(80) }
const decision = { ...who, item: id }

export const bodies = {
  claim: z.strictObject({ ...who, item: id.optional() }),
  renew: z.strictObject(decision),
  release: z.strictObject(decision),
  draft: z.strictObject({ ...decision, text }),
  submit: z.strictObject({
    ...decision,
    final: text,
    reasons: z.array(z.string().trim().min(1).max(200)).max(20).optional(),
    seconds: z.number().nonnegative().optional(),
  }),
  discard: z.strictObject({
    ...decision,
    why: z.enum(['no-edit-needed', 'cannot-be-fixed']),
    reason: z.string().max(2000).optional(),
  }),
  skip: z.strictObject(decision),
  undo: z.strictObject(who),
  score: z.strictObject({ prompt: text, response: text, eos: z.boolean().optional() }),
}

/** @throws ApiError 400 naming the first field that cannot be used */
export function bodyOf<K extends keyof typeof bodies>(kind: K, value: unknown): z.output<(typeof bodies)[K]> {
  const { data, error } = bodies[kind].safeParse(value)
  if (!error) return data as z.output<(typeof bodies)[K]>
  const [issue] = error.issues
  throw wrongField(issue?.path.join('.') || 'body', issue?.message ?? 'cannot be used')
}
