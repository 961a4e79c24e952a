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

it('texts stand behind what the tokenizer puts before a text; conversations have what their template writes', async () => {
  const specials = tokenizer.specials
  const [first, second] = [...specials.values()] as [number, number]
  const name = (id: number) => [...specials].find(([, other]) => other === id)![0]
  const template = {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: name(first), type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: name(second), type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      [name(first)]: { id: name(first), ids: [first], tokens: [name(first)] },
      [name(second)]: { id: name(second), ids: [second], tokens: [name(second)] },
    },
  }
  // As Llama 3 has it: the offsets are trimmed first.
  const post_processor = { type: 'Sequence', processors: [{ type: 'ByteLevel', trim_offsets: true }, template] }
  const beginning = Tokenizer.parse(JSON.stringify({ ...JSON.parse(json), post_processor }), {
    config: { chat_template },
  })
  expect([...beginning.opening]).toEqual([first])
  const [text, empty, talk] = await encodePrompts(beginning, ['Hi', '', [{ role: 'user', content: 'Hi' }]])
  expect([...text!]).toEqual([first, ...(await tokenizer.encode('Hi')).ids])
  expect([...empty!]).toEqual([first])
  expect(beginning.decode(talk!, { specials: true })).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n')
  // What a model answers begins with nothing.
  expect([...(await beginning.encode('Hi')).ids]).toEqual([...(await tokenizer.encode('Hi')).ids])
  expect([...tokenizer.opening]).toEqual([])
})
