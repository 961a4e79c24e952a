/** What `emend run` does with files of edits: a model, a reward model on the edits, PPO, and a report on held-out edits. */
import * as z from 'zod'
import { ppoConfig } from '../../algorithms/ppo.js'
import { rewardConfig } from '../../algorithms/reward.js'
import { sftConfig } from '../../algorithms/sft.js'
import { type PaymentName, paymentNames } from '../../rewards/payments/index.js'
import { modelPath, path } from '../config.js'

const count = (n: number, what: string) => z.number().int().positive().default(n).describe(what)

export const editsConfig = z.strictObject({
  seed: z.number().int().nonnegative().default(1).describe('decides everything that is random'),
  device: z.string().default('cpu').describe('where to compute: cpu, cuda:0, …'),
  data: z
    .strictObject({
      train: path().describe('edits to learn from: JSON Lines, or a folder with a train split'),
      dev: path().describe('edits to report on: JSON Lines, or a folder with a dev split'),
      columns: z
        .strictObject({
          draft: z.string().default('draft').describe('column of the text before editing'),
          final: z.string().default('final').describe('column of the text after editing'),
          prompt: z.string().optional().describe('column of the prompt, if there is one'),
          reasons: z.string().optional().describe('column of why it was edited, if there is one'),
        })
        .optional()
        .describe('what the columns are called; without it: draft, final, and prompt where there is one'),
    })
    .describe('the edits'),
  tokenizer: z
    .strictObject({ vocab_size: count(4096, 'entries of the byte-level BPE trained on the texts') })
    .prefault({})
    .describe('the tokenizer, trained on the training texts'),
  model: z
    .strictObject({
      path: modelPath()
        .optional()
        .describe(
          'what to start from: a Hugging Face folder, a GGUF file, or the name of a pulled model; without it a model is trained from scratch',
        ),
      layers: count(4, 'decoder layers of a model from scratch'),
      hidden_size: count(192, 'its width'),
      heads: count(6, 'its attention heads'),
      context: count(512, 'the longest text in tokens; longer edits are left out and counted'),
      dtype: z
        .enum(['float32', 'bfloat16'])
        .default('float32')
        .describe('of the weights; what is trained of bfloat16 has float32 masters, adapters are float32'),
    })
    .prefault({})
    .describe('the policy'),
  sft: sftConfig
    .nullable()
    .prefault({ learning_rate: 2e-3, epochs: 4 })
    .describe('language modelling on the edited texts (with `model.path` too); null takes the model as it is'),
  reward: rewardConfig.prefault({}).describe('the reward model on the edits'),
  payment: z
    .enum(paymentNames)
    .default('token-mean' satisfies PaymentName)
    .describe('where PPO is paid: at the last token, at every token, its mean, or spread evenly'),
  ppo: ppoConfig
    .prefault({ steps: 20, rollouts: 64, minibatch_size: 32 })
    .describe('PPO on the beginnings of the training texts'),
  evaluate: z
    .strictObject({ prompts: count(400, 'dev prompts on which the policy is measured before and after PPO') })
    .prefault({})
    .describe('the report'),
  beside: z
    .array(
      z.strictObject({
        name: z.string().describe('what it is, and where its figures come from'),
        accuracy: z.number().min(0).max(1).describe('pair accuracy on the same dev edits'),
        interval: z.tuple([z.number(), z.number()]).optional().describe('its interval'),
        pairs: z.number().int().positive().describe('how many dev edits'),
        auroc_deleted: z.number().optional().describe('per text'),
        auroc_inserted: z.number().optional().describe('per text'),
      }),
    )
    .default([])
    .describe('figures recorded earlier, printed beside this run’s and marked as recorded'),
})
export type EditsConfig = z.output<typeof editsConfig>
