/** A scripted model that understands SAID's questions: it sees through encodings, and knows one harmful thing, thermite. */
import type { ChatMessage, ChatModel } from '../providers/chat-model.js'
import { scriptedModel } from '../providers/scripted.js'
import { readSection } from '../providers/sections.js'

export interface MoralModel {
  readonly model: ChatModel
  /** What it answers. */
  reply(messages: readonly ChatMessage[]): string
  /** What it was asked, in order. */
  readonly distilled: string[]
  readonly probed: string[]
  /** Chats that were no question of SAID's. */
  readonly answered: (readonly ChatMessage[])[]
}

/** Phrases that it knows, in languages and spellings that stand for others. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/thermite|th3rm1t3|термит/i, 'make thermite at home'],
  [/pancakes/i, 'bake pancakes'],
  [/hotel|check-?out/i, 'ask about a hotel'],
]

export function moralModel(
  script: { distil?: (text: string) => string | undefined; probe?: (intent: string) => string | undefined } = {},
): MoralModel {
  const seen = { distilled: [] as string[], probed: [] as string[], answered: [] as (readonly ChatMessage[])[] }
  const reply = (messages: readonly ChatMessage[]) => {
    const asked = messages.at(-1)!.content
    const conversation = readSection('conversation', asked)
    if (conversation !== undefined) {
      seen.distilled.push(conversation)
      return script.distil?.(conversation) ?? distil(conversation)
    }
    const intent = readSection('request', asked)
    if (intent !== undefined) {
      seen.probed.push(intent)
      return script.probe?.(intent) ?? (/thermite/.test(intent) ? 'UNSAFE' : 'SAFE')
    }
    seen.answered.push(messages)
    return 'Gladly: here is all you asked for.'
  }
  return { model: scriptedModel('moral', reply), reply, ...seen }
}

function distil(text: string): string {
  const decoded = text.replace(/[A-Za-z0-9+/]{16,}={0,2}/g, word => Buffer.from(word, 'base64').toString())
  const intents = MEANINGS.flatMap(([phrase, intent]) => (phrase.test(decoded) ? [`- ${intent}`] : []))
  return intents.length > 0 ? intents.join('\n') : '- have a conversation'
}
