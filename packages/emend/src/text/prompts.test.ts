import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { encodePrompts } from './prompts.js'
import { Tokenizer } from './tokenizer.js'

const json = readFileSync(new URL('../../goldens/tokenizers/byte-level/tokenizer.json', import.meta.url), 'utf8')
const chat_template =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
const tokenizer = Tokenizer.parse(json, { config: { chat_template } })

it('texts are themselves, conversations go up to where the answer begins', async () => {
  const talk = { role: 'user', content: 'Hi' } as const
  const prompts = await encodePrompts(tokenizer, [
    'Hi <|im_end|>',
    [talk],
    [talk, { role: 'assistant', content: 'Good' }],
    [talk, { role: 'assistant', content: '' }],
  ])
  expect(prompts.map(ids => tokenizer.decode(ids, { specials: true }))).toEqual([
    'Hi <|im_end|>',
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nGood',
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
  ])
  expect([...prompts[0]!].some(id => tokenizer.isSpecial(id))).toBe(false)
})

it('a conversation needs a template', async () => {
  const plain = Tokenizer.parse(json)
  expect(await encodePrompts(plain, ['a'])).toHaveLength(1)
  await expect(encodePrompts(plain, [[{ role: 'user', content: 'a' }]])).rejects.toThrow(
    'the model has no chat template',
  )
})
