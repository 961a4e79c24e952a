import { afterAll, beforeAll, expect, it } from 'vitest'
import { LanguageModel } from '../language-model.js'
import { type TinyFolders, tinyFolders } from '../server/tiny-model.fixture.js'
import { encodeChat } from '../text/chat-template.js'
import { ask, type ChatMessage, type ChatModel } from './chat-model.js'
import { localModel } from './local.js'

let folders: TinyFolders
let model: LanguageModel
let chat: ChatModel
const hello: ChatMessage[] = [{ role: 'user', content: 'the cat' }]
beforeAll(async () => {
  folders = await tinyFolders()
  model = await LanguageModel.load(folders.model)
  chat = localModel(model, 'tiny')
})
afterAll(() => folders.remove())

it('says what the model says, piece by piece, several asked at once', async () => {
  const { ids } = await encodeChat(model.tokenizer, hello, { addGenerationPrompt: true })
  const [own] = await model.answer(Int32Array.from(ids), { maxNewTokens: 20, seed: 3 })
  const pieces: string[] = []
  const answers = await Promise.all([
    ask(chat, hello, { maxTokens: 20, seed: 3 }),
    (async () => {
      for await (const piece of chat.chat(hello, { maxTokens: 20, seed: 3 })) pieces.push(piece)
    })(),
  ])
  expect(pieces.join('')).toBe(own!.text)
  expect(pieces.length).toBeGreaterThan(1)
  expect(answers[0]).toEqual({
    text: own!.text,
    finish: own!.finish === 'length' ? 'length' : 'stop',
    usage: { input: ids.length, output: own!.ids.length },
  })
})

it('a prefill is the true beginning of the answer', async () => {
  const { ids } = await encodeChat(model.tokenizer, hello, { addGenerationPrompt: true })
  const begun = await model.tokenizer.encode('the dog', { continued: true })
  const [own] = await model.answer(Int32Array.from([...ids, ...begun.ids]), { maxNewTokens: 10, seed: 1 })
  expect((await ask(chat, hello, { maxTokens: 10, seed: 1, prefill: 'the dog' })).text).toBe(own!.text)
})

it('whoever leaves in the middle leaves it free for the next', async () => {
  for await (const _ of chat.chat(hello, { maxTokens: 200 })) break
  expect((await ask(chat, hello, { maxTokens: 3 })).usage!.output).toBeLessThanOrEqual(3)
})
