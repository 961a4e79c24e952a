/** A tiny random model with a tokenizer and a chat template of the ChatML kind, and a reward model beside it, as folders. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LanguageModel } from '../language-model.js'
import { scalarFrom } from '../models/index.js'
import { RewardModel } from '../rewards/index.js'
import { trainTokenizer } from '../text/index.js'

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

export const CONTEXT = 256

export interface TinyFolders {
  readonly root: string
  /** the model with its template, the same without one, and a reward model */
  readonly model: string
  readonly bare: string
  readonly reward: string
  remove(): void
}

/** Writes the folders; `size` makes the model larger than tiny, or its context longer. The tokenizer's ids: 0 `<pad>`, 1 `<|im_start|>`, 2 `<|im_end|>` (EOS), then 256 bytes and some merges. */
export async function tinyFolders(
  size: { hiddenSize?: number; layers?: number; maxPositions?: number } = {},
): Promise<TinyFolders> {
  const root = mkdtempSync(join(tmpdir(), 'emend-serve-'))
  const places = { root, model: join(root, 'tiny'), bare: join(root, 'bare'), reward: join(root, 'reward') }
  const texts = Array.from(
    { length: 100 },
    (_, i) => `the cat sat on the mat ${i}, and the dog sat there too, naïve café`,
  )
  const tokenizer = await trainTokenizer(texts, {
    vocabSize: 300,
    specials: ['<pad>', '<|im_start|>', '<|im_end|>'],
    folder: places.bare,
  })
  const { hiddenSize = 32, layers = 2, maxPositions = CONTEXT } = size
  const shape = { hiddenSize, layers, heads: 4, kvHeads: 2, maxPositions, eos: '<|im_end|>' }
  const model = LanguageModel.create(tokenizer, shape, 5)
  for (const folder of [places.bare, places.model]) {
    await model.save(folder)
    const config = { eos_token: '<|im_end|>', pad_token: '<pad>' }
    writeFileSync(
      join(folder, 'tokenizer_config.json'),
      JSON.stringify(folder === places.model ? { ...config, chat_template: CHATML } : config),
    )
  }
  const reward = new RewardModel(scalarFrom(model.decoder, 9), 'token', tokenizer.fingerprint)
  await reward.save(places.reward)
  tokenizer.save(places.reward)
  return { ...places, remove: () => rmSync(root, { recursive: true, force: true }) }
}
