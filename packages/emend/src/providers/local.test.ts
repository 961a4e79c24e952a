import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LanguageModel } from '../language-model.js'
import { type TinyFolders, tinyFolders } from '../server/tiny-model.fixture.js'
import { encodeChat } from '../text/chat-template.js'
import { ask, type ChatMessage, type ChatModel } from './chat-model.js'
import { filesIdentity, localModel } from './local.js'

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

it('a chat longer than the context is refused, and the next one answered', async () => {
  const long: ChatMessage[] = [{ role: 'user', content: 'the cat sat on the mat. '.repeat(200) }]
  await expect(ask(chat, long, { maxTokens: 3 })).rejects.toMatchObject({ failure: 'refused', charged: false })
  expect((await ask(chat, hello, { maxTokens: 3 })).usage!.output).toBeLessThanOrEqual(3)
})

it.each([
  [AbortSignal.timeout(1), 'timeout'],
  [AbortSignal.abort(), 'stopped'],
] as const)('is ended by a signal', async (signal, failure) => {
  await expect(ask(chat, hello, { maxTokens: 200, signal })).rejects.toMatchObject({ failure, charged: false })
})

it('is another model once a file of it changed', () => {
  const before = filesIdentity('local:tiny', folders.bare)
  expect(before).toMatch(/^local:tiny#[0-9a-f]{16}$/)
  expect(filesIdentity('local:tiny', folders.bare)).toBe(before)
  appendFileSync(join(folders.bare, 'config.json'), ' ')
  expect(filesIdentity('local:tiny', folders.bare)).not.toBe(before)
  expect(filesIdentity('local:tiny', join(folders.bare, 'config.json'))).toMatch(/^local:tiny#/)
})
