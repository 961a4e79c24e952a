import { setImmediate } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { Interrupted } from '../errors.js'
import { LanguageModel } from '../language-model.js'
import { trainTokenizer } from '../text/index.js'
import { generateAsync } from './generate.js'

describe('answers', () => {
  let model: LanguageModel
  let prompt: Int32Array
  beforeAll(async () => {
    const tokenizer = await trainTokenizer(['the river runs to the sea and the rain runs to the river'], {
      vocabSize: 280,
    })
    model = LanguageModel.create(tokenizer, { hiddenSize: 16, layers: 1, heads: 2 }, 5)
    prompt = (await model.encode(['the river']))[0]!
  })

  it('the text is the one of the ids, in pieces that are given as they come', async () => {
    const pieces = ['', '']
    const answers = await model.answer(prompt, {
      n: 2,
      maxNewTokens: 30,
      onText: (sample, piece) => void (pieces[sample] += piece),
    })
    for (const [sample, { text, ids }] of answers.entries()) {
      expect(text).toBe(model.tokenizer.decode(ids))
      expect(pieces[sample]).toBe(text)
    }
    expect(answers[0]!.text).not.toBe(answers[1]!.text)
  })

  it('a stop string ends a sample, and is no part of its text', async () => {
    const [whole] = await model.answer(prompt, { maxNewTokens: 30 })
    // Two characters that are whole, somewhere behind the beginning.
    const stop = /[ -~]{2}/.exec(whole!.text.slice(5))![0]
    const [answer] = await model.answer(prompt, { maxNewTokens: 30, stop: [stop] })
    expect(answer!.text).toBe(whole!.text.slice(0, whole!.text.indexOf(stop)))
    expect(answer!.finish).toBe('stop')
    expect(answer!.ended).toBe(false)
    const { ids } = answer!
    expect([...ids]).toEqual([...whole!.ids.slice(0, ids.length)])
    expect(model.tokenizer.decode(ids)).toContain(stop)
    expect(model.tokenizer.decode(ids.slice(0, -1))).not.toContain(stop)
  })

  it('the event loop turns between tokens, and a signal ends the work there', async () => {
    const abort = new AbortController()
    let tokens = 0
    let turns = 0
    const turning = (async () => {
      while (!abort.signal.aborted) {
        await setImmediate()
        turns++
      }
    })()
    const onToken = () => {
      if (++tokens === 5) abort.abort()
      return undefined
    }
    await expect(model.answer(prompt, { maxNewTokens: 500, eos: [], signal: abort.signal, onToken })).rejects.toThrow(
      Interrupted,
    )
    await turning
    expect(tokens).toBe(5)
    expect(turns).toBeGreaterThanOrEqual(4)
    const aborted = { maxNewTokens: 500, eos: [], seed: 1, signal: abort.signal }
    await expect(generateAsync(model.decoder, [prompt], aborted)).rejects.toThrow('stopped while generating')
  })

  it('generates alike with and without turns of the event loop', async () => {
    const prompts = await model.encode(['the rain', 'the sea', 'a'])
    const turning = await generateAsync(model.decoder, prompts, { maxNewTokens: 20, eos: model.eos, seed: 4 })
    const straight = model.complete(prompts, { maxNewTokens: 20, seed: 4 })
    expect(turning.map(({ ids }) => [...ids])).toEqual(straight.map(({ ids }) => [...ids]))
  })
})
