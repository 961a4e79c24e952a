/** What the answering thread knows of the models: a name, tokenizers, and the thread that computes. */
import type { Tokenizer } from '../text/tokenizer.js'
import type { AnswerGuard } from './answer-guard.js'
import { ApiError } from './api-error.js'
import type { ComputeClient } from './compute-client.js'

export interface ChatMessage {
  readonly role: string
  readonly content: string
}

export interface ServedModel {
  /** what requests call it */
  readonly id: string
  /** Unix time in seconds */
  readonly created: number
  readonly tokenizer: Tokenizer
  /**
   * Ids of a conversation, up to where the assistant's next message begins.
   * @throws ApiError 400 where there is no template, or it refuses the messages
   */
  encodeChat(messages: readonly ChatMessage[]): Promise<Int32Array>
  readonly compute: ComputeClient
  /** asked before anything is generated */
  readonly guard?: AnswerGuard
  /** the reward model's */
  readonly rewardTokenizer?: Tokenizer
}

/** @throws ApiError 404 for a name that is not the served model's */
export function checkModel(model: ServedModel, wanted: string): void {
  if (wanted === model.id) return
  throw new ApiError(404, `model '${wanted}' is not here; this server has '${model.id}'`, {
    param: 'model',
    code: 'model_not_found',
  })
}

/** The entry of `/v1/models`. */
export const modelEntry = ({ id, created }: ServedModel) => ({ id, object: 'model', created, owned_by: 'emend' })
