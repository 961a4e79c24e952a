/** Prompts as people have them, text or a conversation → the ids that a model goes on from. */
import type { Prompt } from '@emend/edits'
import { EmendError } from '../errors.js'
import { encodeChat } from './chat-template.js'
import type { Tokenizer } from './tokenizer.js'

/**
 * Ids of prompts: of a text its own behind what the tokenizer puts before a text (a BOS, for some models), of a conversation
 * those of the model's chat template with the beginning of an answer.
 * A conversation that ends with the assistant is gone on from where it stopped.
 *
 * @throws EmendError where a conversation meets a model without a chat template, or one that refuses it; for what is no prompt
 */
export async function encodePrompts(tokenizer: Tokenizer, prompts: readonly Prompt[]): Promise<Int32Array[]> {
  if (!Array.isArray(prompts)) throw new EmendError(`prompts: expected an array of prompts, got ${typeof prompts}`)
  const strange = prompts.findIndex(prompt => typeof prompt !== 'string' && !Array.isArray(prompt))
  if (strange >= 0) {
    const got = prompts[strange] === null ? 'null' : typeof prompts[strange]
    throw new EmendError(`prompts[${strange}]: expected text or the turns of a conversation, got ${got}`)
  }
  const texts = await tokenizer.encodeBatch(prompts.map(prompt => (typeof prompt === 'string' ? prompt : '')))
  const { opening } = tokenizer
  const ids = texts.map(text => (opening.length === 0 ? text.ids : Int32Array.of(...opening, ...text.ids)))
  for (const [i, prompt] of prompts.entries())
    if (typeof prompt !== 'string') ids[i] = await conversation(tokenizer, prompt)
  return ids
}

async function conversation(tokenizer: Tokenizer, messages: Exclude<Prompt, string>): Promise<Int32Array> {
  const last = messages.at(-1)
  if (last?.role !== 'assistant') return (await encodeChat(tokenizer, messages, { addGenerationPrompt: true })).ids
  if (last.content.trim() === '') return conversation(tokenizer, messages.slice(0, -1))
  const { ids, assistant } = await encodeChat(tokenizer, messages)
  const end = assistant.lastIndexOf(1)
  return ids.subarray(0, tokenizer.isSpecial(ids[end] as number) ? end : end + 1)
}
