import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Edit, makeEdit, type NewEdit, type TokenLabels } from '@emend/edits'
import { setNumThreads } from '@emend/torch'
import { beforeAll, describe, expect, it } from 'vitest'
import { pairsFromEdits } from './algorithms/edit-pairs.js'
import { type AlignOptions, align, alignByDpo, fineTune, trainRewardModel } from './align.js'
import { EmendError, Interrupted } from './errors.js'
import { LanguageModel } from './language-model.js'
import { RewardModel } from './rewards/reward-model.js'
import { scorePairs } from './rewards/score-pairs.js'
import { BYTE_CHARACTERS } from './text/byte-level.js'
import { Tokenizer } from './text/index.js'
import { plainLogprobs, weights } from './training/tiny.fixture.js'

setNumThreads(1)

/** Specials and single bytes; `more` tokens make it another tokenizer. */
function byteTokenizer(...more: string[]): Tokenizer {
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true }
  const tokens = ['<pad>', '<eos>', ...BYTE_CHARACTERS, ...more]
  const special = (content: string, id: number) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })
  return Tokenizer.parse(
    JSON.stringify({
      version: '1.0',
      added_tokens: ['<pad>', '<eos>'].map(special),
      normalizer: null,
      pre_tokenizer: bytes,
      post_processor: null,
      decoder: bytes,
      model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: [] },
    }),
  )
}

const tokenizer = byteTokenizer()
const create = (seed = 1, of = tokenizer) =>
  LanguageModel.create(of, { hiddenSize: 24, intermediateSize: 48, layers: 1, heads: 2, maxPositions: 64 }, seed)
const edit = (o: Pick<NewEdit, 'draft' | 'final'> & Partial<NewEdit>): Edit =>
  makeEdit({ prompt: 'Say:', by: { kind: 'script', name: 'test' }, at: '2024-01-01T00:00:00Z', ...o }).edit
// Replies of three letters; whoever edits puts an `a` where a `z` is.
const letters = (i: number) => ['b', 'c', 'd'][i % 3] as string
const edits = Array.from({ length: 27 }, (_, i) => {
  const rest = letters(i) + letters(Math.floor(i / 3))
  const place = Math.floor(i / 9)
  const around = (middle: string) => rest.slice(0, place) + middle + rest.slice(place)
  return edit({ draft: around('z'), final: around('a') })
})
const short = {
  steps: 4,
  rollouts: 32,
  minibatch_size: 16,
  max_new_tokens: 5,
  warmup_steps: 0,
  learning_rate: 1e-2,
} as const

let sft: LanguageModel
let reward: RewardModel
beforeAll(async () => {
  sft = create()
  const texts = edits.flatMap(({ draft, final }) => [draft, final].map(response => ({ prompt: 'Say:', response })))
  await fineTune(sft, texts, { epochs: 20, batch_size: 9, warmup_steps: 2, learning_rate: 1e-2 })
  reward = await trainRewardModel(sft, edits, { epochs: 8, batch_size: 9, warmup_steps: 2, learning_rate: 1e-2 })
})
const aligned = (options: Partial<AlignOptions> = {}) => align(sft, { prompts: ['Say:'], reward, ...short, ...options })

describe('fineTune', () => {
  it('teaches a form, and where it ends', async () => {
    const replies = await sft.generate(
      Array.from({ length: 40 }, () => 'Say:'),
      { maxNewTokens: 8 },
    )
    const good = replies.filter(({ text, ended }) => ended && /^[abcdz]{3}$/.test(text)).length
    expect(good / replies.length).toBeGreaterThan(0.7)
    const untaught = await create().generate(['Say:', 'Say:'], { maxNewTokens: 8 })
    expect(untaught.some(({ text }) => /^[abcdz]{3}$/.test(text))).toBe(false)
  })
})

describe('trainRewardModel', () => {
  it('from edits prefers finals to drafts, by the letter that was put in', async () => {
    expect([reward.objective.kind, reward.tokenizer]).toEqual(['token', tokenizer.fingerprint])
    const pairs = await pairsFromEdits(edits, tokenizer, 1)
    for (const [i, { chosen, rejected, chosenScore, rejectedScore }] of scorePairs(reward, pairs).entries()) {
      expect(chosenScore).toBeGreaterThan(rejectedScore as number)
      const labels = pairs[i]?.labels as TokenLabels
      const put = chosen[labels.final.changed.indexOf(1)] as number
      const taken = rejected[labels.draft.changed.indexOf(1)] as number
      expect(put).toBeGreaterThan(taken)
    }
  })

  it('takes pairs as they are, and gives the same', async () => {
    const config = { kind: 'sequence', epochs: 1, batch_size: 9 } as const
    const pairs = await pairsFromEdits(edits, tokenizer, 1)
    const models = await Promise.all(
      [edits, pairs].map(data => trainRewardModel(sft, data as Edit[], config, { seed: 4 })),
    )
    expect(weights((models[0] as RewardModel).scalar)).toEqual(weights((models[1] as RewardModel).scalar))
    expect(models[0]?.objective.kind).toBe('sequence')
  })

  it('refuses no edits, and a conversation where there is no chat template', async () => {
    await expect(trainRewardModel(sft, [])).rejects.toThrow('no edits to train a reward model on')
    const talk = edit({ prompt: [{ role: 'user', content: 'Hi' }], draft: 'a', final: 'b' })
    await expect(trainRewardModel(sft, [talk])).rejects.toThrow('the model has no chat template')
  })
})

describe('align', () => {
  // Measured, of 100 replies: 48 have an `a` and no `z` before, 100 after.
  it('raises the reward, and leaves the model it starts from as it is', async () => {
    const before = weights(sft.decoder)
    const policy = await aligned({ steps: 12 })
    expect(weights(sft.decoder)).toEqual(before)
    const share = async (model: LanguageModel) => {
      const replies = await model.generate(
        Array.from({ length: 100 }, () => 'Say:'),
        { maxNewTokens: 5, seed: 9 },
      )
      return replies.filter(({ text }) => text.includes('a') && !text.includes('z')).length
    }
    expect(await share(policy)).toBeGreaterThan((await share(sft)) + 20)
  })

  it('pays the mean of token rewards, or all at the end, unless told otherwise', async () => {
    const sequence = await trainRewardModel(sft, edits, { kind: 'sequence', epochs: 1 })
    for (const [options, payment] of [
      [{ reward }, 'token-mean'],
      [{ reward: sequence }, 'terminal'],
      [{ reward, payment: 'token' }, 'token'],
    ] as const) {
      for (const name of Object.keys(options.reward.calibrations)) delete options.reward.calibrations[name]
      await aligned({ steps: 1, ...options })
      expect(Object.keys(options.reward.calibrations)).toEqual([payment])
      expect(options.reward.calibrations[payment]).toMatchObject({ n: 256, fittedOn: 'samples of the reference model' })
    }
  })

  it('takes texts or their ids', async () => {
    const prompts = await sft.encode(['Say:'])
    const policies = [await aligned({ steps: 1 }), await aligned({ steps: 1, prompts })]
    expect(weights((policies[0] as LanguageModel).decoder)).toEqual(weights((policies[1] as LanguageModel).decoder))
  })

  it('says what takes its time before the first step', async () => {
    const lines: string[] = []
    const samples: (readonly [number, number])[] = []
    const onCalibration = (done: number, total: number) => samples.push([done, total])
    await aligned({ steps: 1, onLine: line => lines.push(line), onCalibration })
    expect(samples.length).toBeGreaterThan(1)
    expect(samples.at(-1)).toEqual([256, 256])
    expect(lines[0]).toBe('ppo: sampling 256 replies of the model, to centre and scale the reward on them')
    const sequence = new RewardModel(reward.scalar, 'sequence', reward.tokenizer)
    await aligned({ steps: 1, reward: sequence, payment: 'token', onLine: line => lines.push(line) })
    expect(lines.filter(line => line.includes('trained on the last alone'))).toHaveLength(1)
  })

  it('stopped, goes on from its folder to the same weights', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'emend-align-'))
    const stop = new AbortController()
    const stopping = aligned({ folder, signal: stop.signal, onProgress: done => done === 2 && stop.abort() })
    await expect(stopping).rejects.toThrow(Interrupted)
    const whole = weights((await aligned()).decoder)
    // The second time there is nothing left to do.
    for (let time = 0; time < 2; time++) {
      const lines: string[] = []
      delete reward.calibrations['token-mean']
      expect(weights((await aligned({ folder, onLine: line => lines.push(line) })).decoder)).toEqual(whole)
      expect(lines.filter(line => line.includes('sampling'))).toEqual([])
      expect(lines.filter(line => line.includes('measured'))).toHaveLength(1 - time)
    }
    const kept = JSON.parse(readFileSync(join(folder, 'calibration.json'), 'utf8'))
    expect(kept).toEqual({ payment: 'token-mean', ...reward.calibrations['token-mean'] })
    rmSync(folder, { recursive: true })
  })

  it('refuses a reward model that reads the ids of another tokenizer', async () => {
    const other = create(1, byteTokenizer('aa'))
    const refused = align(other, { prompts: ['Say:'], reward, ...short })
    await expect(refused).rejects.toThrow('the reward model was trained with another tokenizer than the model has')
  })

  it('refuses no prompts, an unknown payment and an unknown setting', async () => {
    await expect(aligned({ prompts: [] })).rejects.toThrow('no prompts for PPO to sample from')
    await expect(aligned({ payment: 'daily' as 'token' })).rejects.toThrow(
      "no payment 'daily'; there are terminal, token, token-mean, uniform",
    )
    await expect(aligned({ top_p: 0.9 } as object)).rejects.toThrow('top_p')
  })
})

describe('alignByDpo', () => {
  it('makes finals likelier than drafts, and leaves the model it starts from as it is', async () => {
    const before = weights(sft.decoder)
    const policy = await alignByDpo(sft, edits, { learning_rate: 3e-3, epochs: 3, batch_size: 9, warmup_steps: 1 })
    expect(weights(sft.decoder)).toEqual(before)
    const sum = (xs: readonly number[]) => xs.reduce((total, x) => total + x, 0)
    const preference = (
      model: LanguageModel,
      { prompt, chosen, rejected }: Awaited<ReturnType<typeof pairsFromEdits>>[0],
    ) => sum(plainLogprobs(model.decoder, prompt, chosen.ids)) - sum(plainLogprobs(model.decoder, prompt, rejected.ids))
    for (const pair of await pairsFromEdits(edits, tokenizer, 1)) {
      expect(preference(policy, pair)).toBeGreaterThan(preference(sft, pair) + 1)
    }
  })

  it('refuses no data', async () => {
    await expect(alignByDpo(sft, [])).rejects.toThrow('no edits or preferences for DPO')
  })
})

it('a model that knows no end is refused', async () => {
  const endless = create()
  const model = new LanguageModel(
    Object.assign(endless.decoder, { config: { ...endless.decoder.config, eos: [] } }),
    tokenizer,
  )
  await expect(trainRewardModel(model, edits)).rejects.toThrow('the model has no end-of-text token (eos_token_id)')
})

describe('wrong arguments are named in one line', () => {
  it.each([
    [
      'a setting that there is not',
      () => aligned({ klCoef: 1 } as never),
      "klCoef: unknown key; did you mean 'kl_coef'?",
    ],
    ['a setting out of range', () => aligned({ steps: 0 }), 'steps: expected number to be >0, got number 0'],
    [
      'a setting of a reward model',
      () => trainRewardModel(sft, edits, { kind: 'tokens' as never }),
      'kind: expected "seq',
    ],
    [
      'a setting of an adapter',
      () => trainRewardModel(sft, edits, { lora: { rank: 0 } } as never),
      'lora.rank: expected',
    ],
    ['no reward model', () => aligned({ reward: undefined as never }), 'reward: expected a RewardModel'],
    [
      'a text instead of texts',
      () => sft.generate('Say:' as never),
      'prompts: expected an array of prompts, got string',
    ],
    ['what is no prompt', () => sft.generate(['Say:', 5 as never]), 'prompts[1]: expected text or the turns'],
    [
      'an option of training that there is not',
      () => fineTune(sft, [{ prompt: 'a', response: 'b' }], {}, { epoch: 3 } as never),
      "training: no option 'epoch'; there are seed, folder, checkpointEvery, signal, onProgress, onLine",
    ],
    [
      'a mistyped option of training',
      () => alignByDpo(sft, edits, {}, { onprogress: () => {} } as never),
      "training: no option 'onprogress'; did you mean 'onProgress'?",
    ],
    [
      'an option of loading that there is not',
      () => LanguageModel.load('x', { dType: 'float32' } as never),
      "LanguageModel.load: no option 'dType'; did you mean 'dtype'?",
    ],
    [
      'an option of a reward model',
      () => RewardModel.load('x', { tokenizer: 1 } as never),
      "RewardModel.load: no option 'tokenizer'; there are device, dtype, share",
    ],
    ['an option that there is not', () => sft.generate(['Say:'], { temp: 0 } as never), "no option 'temp'; there are"],
    [
      'edits where texts belong',
      () => fineTune(sft, edits as never),
      'texts[0]: response: expected text, got undefined',
    ],
    ['what is no edit', () => trainRewardModel(sft, [{ a: 1 }] as never), 'edits[0]: expected an edit'],
  ])('%s', async (_, call, expected) => {
    const error = await call().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(EmendError)
    expect((error as Error).message).toContain(expected)
    expect((error as Error).message).not.toContain('\n')
  })
})
