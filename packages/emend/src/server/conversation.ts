/** Messages of a request → the ids of a conversation, by the model's chat template. */
import { EmendError } from '../errors.js'
import { encodeChat } from '../text/chat-template.js'
import type { Tokenizer } from '../text/tokenizer.js'
import { wrongField } from './api-error.js'
import type { ServedModel } from './served-model.js'

/** Encodes with the template's own special tokens; whatever a message says stays text. */
export function encodeConversation(tokenizer: Tokenizer): ServedModel['encodeChat'] {
  return async messages => {
    try {
      return (await encodeChat(tokenizer, messages, { addGenerationPrompt: true })).ids as Int32Array
    } catch (error) {
      if (error instanceof EmendError) throw wrongField('messages', error.message)
      throw error
    }
  }
}
