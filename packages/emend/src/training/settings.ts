/** Settings that every trainer has: adapters, recomputation, and how much passes forward at once. */
import { z } from 'zod'

/** `lora`: what is trained. */
export const loraSetting = z
  .strictObject({
    rank: z.number().int().positive().default(16).describe('r, the rank of the change of each matrix'),
    alpha: z.number().positive().default(32).describe('the change is scaled by alpha / rank'),
    targets: z
      .array(z.string())
      .min(1)
      .default(['all-linear'])
      .describe('the matrices that change, by the last part of their name (q_proj, …); all-linear: all in the layers'),
    rslora: z.boolean().default(false).describe('scales by alpha / √rank instead'),
    merge: z.boolean().default(false).describe('also writes the model with the change merged into its weights'),
  })
  .nullable()
  .default(null)
  .describe('trains a low-rank adapter (LoRA) on frozen weights; null trains the weights themselves')

/** `recompute`: time for memory. */
export const recomputeSetting = z
  .boolean()
  .default(false)
  .describe('computes each layer again in the backward pass instead of keeping it: a third slower, far less memory')

/** `micro_batch_tokens`, with the algorithm's default. */
export const microBatchSetting = (tokens: number) =>
  z
    .union([z.literal('auto'), z.number().int().positive()])
    .default(tokens)
    .describe('padded tokens per forward pass; changes memory, not results; auto: as many as fit, kept in config.yaml')

export type LoraSetting = z.output<typeof loraSetting>
