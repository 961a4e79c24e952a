/** Messages of a request → the ids of a conversation, by the model's chat template. */
import { wrongField } from './api-error.js'
import type { ServedModel } from './served-model.js'

/** Chat templates are not read yet. */
export function encodeConversation(): ServedModel['encodeChat'] {
  return () => Promise.reject(wrongField('messages', 'chat templates are not supported yet; use /v1/completions'))
}
