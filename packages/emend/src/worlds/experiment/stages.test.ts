import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeEdit } from '@emend/edits'
import { expect, it } from 'vitest'
import { LanguageModel } from '../../language-model.js'
import type { Stage, StageContext } from '../../pipeline/stage.js'
import { trainTokenizer } from '../../text/index.js'
import { concierge } from '../concierge/index.js'
import { ARMS, armFolder } from './arms.js'
import { experimentConfig } from './config.js'
import { writeRecords } from './records.js'
import { experimentStages, type RewardReport } from './stages.js'

const stages = (ppo: object) => experimentStages(concierge, experimentConfig.parse({ ppo: { steps: 4, ...ppo } }), ARMS)

it.each([{ temperature: 0.7 }, { max_new_tokens: 50 }])('replies sampled by %j are made anew, in every arm', other => {
  const before = new Map(stages({}).map(stage => [stage.name, stage]))
  const isOther = ({ name, inputs }: Stage) => JSON.stringify(inputs) !== JSON.stringify(before.get(name)!.inputs)
  const changed = stages(other).filter(isOther)
  expect(changed.map(({ name }) => name).sort()).toEqual([...ARMS.map(armFolder), 'pairs'].sort())
})

it.each(['reward-preferences-sequence', 'reward-edits-token'])(
  '%s stands beside what length alone says of each kind of pair',
  async name => {
    const folder = mkdtempSync(join(tmpdir(), 'emend-stages-'))
    try {
      const tokenizer = await trainTokenizer(['more words'], {
        ...{ vocabSize: 258, specials: ['<pad>', '<eos>'], folder: join(folder, 'tokenizer') },
      })
      const shape = { layers: 1, heads: 2, hiddenSize: 16, intermediateSize: 16, maxPositions: 64, eos: '<eos>' }
      await LanguageModel.create(tokenizer, shape, 1).save(join(folder, 'sft', 'model'))
      // People prefer the longer reply, and make each shorter that they edit.
      const reply = (...ids: number[]) => ({ text: '', ids, ended: true })
      const preferences = [{ id: '1', prompt: 'p', chosen: reply(5, 6, 7, 1), rejected: reply(5, 1) }]
      const { edit } = makeEdit({
        prompt: 'p',
        draft: 'more words',
        final: 'words',
        by: { kind: 'script', name: 's' },
        at: '2026-01-01T00:00:00Z',
      })
      for (const prefix of ['', 'held-out-']) {
        writeRecords(join(folder, 'pairs', `${prefix}preferences.jsonl`), preferences)
        writeRecords(join(folder, 'pairs', `${prefix}edits.jsonl`), [edit])
      }
      writeRecords(
        join(folder, 'pairs', 'calibration.jsonl'),
        [5, 6].map(id => ({ prompt: 'p', reply: reply(id, 1) })),
      )
      const context: StageContext = {
        folder: join(folder, name),
        folderOf: stage => join(folder, stage),
        resultOf: () => undefined,
        signal: new AbortController().signal,
        threads: 1,
        progress: () => ({ update() {}, finish() {} }),
      }
      const { baselines } = (await stages({})
        .find(stage => stage.name === name)!
        .run(context)) as RewardReport
      expect([baselines.preferences.length.accuracy, baselines.edits.length.accuracy]).toEqual([1, 1])
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)
