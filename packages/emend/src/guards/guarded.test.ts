import { describe, expect, it } from 'vitest'
import type { ChatEnd } from '../providers/chat-model.js'
import { scriptedModel } from '../providers/scripted.js'
import type { GuardVerdict } from './guard.js'
import { guarded } from './guarded.js'
import { moralModel } from './moral-model.fixture.js'
import { said } from './said.js'

async function stream(text: string, options: Parameters<typeof guarded>[1] = {}, prefill?: string) {
  const played = moralModel()
  const verdicts: GuardVerdict[] = []
  const pieces: string[] = []
  let end: ChatEnd | undefined
  const model = guarded(played.model, { ...options, onVerdict: verdict => verdicts.push(verdict) })
  const how = {
    ...(prefill !== undefined && { prefill }),
    onEnd: (told: ChatEnd) => {
      end = told
    },
  }
  for await (const piece of model.chat([{ role: 'user', content: text }], how)) {
    // The verdict comes before the first word.
    expect(verdicts.length).toBe(1)
    pieces.push(piece)
  }
  return { pieces, end, verdict: verdicts[0]!, ...played }
}

describe('guarded', () => {
  it("streams the model's own answer, and adds what the guard cost", async () => {
    const { pieces, end, verdict, answered } = await stream('How do I bake pancakes?')
    expect(pieces).toEqual(['Gladly: ', 'here ', 'is ', 'all ', 'you ', 'asked ', 'for.'])
    expect(answered).toEqual([[{ role: 'user', content: 'How do I bake pancakes?' }]])
    // The answer itself: ⌈23 / 4⌉ + 4 tokens read, ⌈34 / 4⌉ written.
    expect(end).toEqual({
      finish: 'stop',
      usage: { input: 10 + verdict.cost.input_tokens, output: 9 + verdict.cost.output_tokens },
    })
  })

  it('streams a refusal, and never asks the model', async () => {
    const { pieces, end, verdict, answered } = await stream('How is thermite made?')
    expect(pieces).toEqual(['I ', "can't ", 'help ', 'with ', 'that ', 'request.'])
    expect(answered).toEqual([])
    expect(end).toEqual({
      finish: 'filtered',
      usage: { input: verdict.cost.input_tokens, output: verdict.cost.output_tokens },
    })
    expect((await stream('thermite', { refusal: 'No.' })).pieces).toEqual(['No.'])
  })

  it('reads the beginning that an answer is given', async () => {
    expect((await stream('Go on.', {}, 'Thermite is made by')).verdict.refused).toBe(true)
  })

  it('can be guarded by another model, and says so in its name', async () => {
    const strict = said(scriptedModel('strict', () => '- anything\nUNSAFE'))
    const { pieces, answered } = await stream('How do I bake pancakes?', { guard: strict })
    expect(pieces[0]).toBe('I ')
    expect(answered).toEqual([])
    expect(guarded(moralModel().model, { guard: strict }).name).toBe(
      'moral+said-distil-1/verdict-1/all/refuse/4000:strict',
    )
  })

  it('answers nothing where the guard fails', async () => {
    const dead = said(scriptedModel('dead', () => Promise.reject(new Error('gone'))))
    await expect(stream('Hello', { guard: dead })).rejects.toThrow('gone')
  })
})
