/** Every size and setting of the controlled experiment. */
import { z } from 'zod'
import { ppoConfig } from '../../algorithms/ppo.js'
import { rewardConfig } from '../../algorithms/reward.js'
import { sftConfig } from '../../algorithms/sft.js'
import { SEARCHED } from './searched.js'

const count = (n: number, what: string) => z.number().int().positive().default(n).describe(what)

export const experimentConfig = z.strictObject({
  seed: z.number().int().nonnegative().default(1).describe('decides everything that is random but the test prompts'),
  demonstrations: count(26_000, 'replies of mixed quality that SFT imitates'),
  pairs: count(2500, 'prompts with two samples each: one preference and one edit per prompt'),
  held_out: count(300, 'prompts with noiseless labels on which reward models are reported'),
  calibration: count(256, 'SFT samples on which every reward is centred and scaled'),
  prompts: count(8000, 'prompts that PPO samples from'),
  validation: count(100, 'prompts for the curves; the search takes 400'),
  test: count(805, 'prompts of the table'),
  tokenizer: z
    .strictObject({
      vocab_size: count(1024, 'entries of the byte-level BPE'),
      texts: count(6000, 'demonstrations it is trained on'),
    })
    .prefault({})
    .describe('the tokenizer, trained on demonstrations'),
  model: z
    .strictObject({
      layers: count(3, 'decoder layers'),
      hidden_size: count(128, 'width'),
      heads: count(4, 'attention heads'),
      intermediate_size: count(352, 'inner width of the SwiGLU'),
    })
    .prefault({})
    .describe('the policy, trained from scratch'),
  sft: sftConfig.prefault({}).describe('supervised fine-tuning on the demonstrations'),
  finals: sftConfig
    .prefault({ learning_rate: 3e-4, epochs: 2, warmup_steps: 10 })
    .describe('the arm SFT-on-finals: further tuning on the edited replies'),
  reward: rewardConfig.omit({ kind: true }).prefault({}).describe('every learned reward model'),
  ppo: ppoConfig.prefault({ steps: 40 }).describe('every PPO arm'),
  arms: z
    .record(z.string(), ppoConfig.pick({ learning_rate: true, kl_coef: true }).partial())
    .default(SEARCHED)
    .describe('what the search chose for an arm (see `emend search`); other settings are shared'),
})
export type ExperimentConfig = z.infer<typeof experimentConfig>
