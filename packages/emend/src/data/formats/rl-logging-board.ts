/** RL Logging Board's rollouts: the tokens of sampled responses with log-probabilities, values and rewards. Write only. */

import { join } from 'node:path'
import { asRecord, textField, textsField } from '../fields.js'
import { readJsonl } from '../jsonl.js'
import type { Fields, Format } from './format.js'

/** Made of a run, not of a store. */
export const rlLoggingBoard: Format = {
  name: 'rl-logging-board',
  about: "RL Logging Board's rollouts, from the folder of a PPO run (--run)",
  container: 'jsonl',
  carries: {},
}

/** What the board reads; the rest of a line of `rollouts.jsonl` is left out. */
const FIELDS = [
  ...['prompt', 'response', 'response_tokens', 'logprobs', 'ref_logprobs', 'values', 'token_rewards', 'reward', 'step'],
]

/**
 * The rollouts that a PPO run logged. `token_rewards` are what was paid, without the KL penalty that the board would add.
 * @throws DataError where the run has no rollouts, or a line of them is broken
 */
export async function* boardRollouts(run: string): AsyncGenerator<Fields> {
  const path = join(run, 'rollouts.jsonl')
  for await (const { line, value } of readJsonl(path)) {
    const record = asRecord(value, path, line)
    textField(record, 'response')
    textsField(record, 'response_tokens')
    yield Object.fromEntries(FIELDS.map(field => [field, record.fields[field]]))
  }
}
