/** `/v1/score`: what the reward model thinks of every token of a response. */
import type { TokenizedText } from '@emend/edits'
import type { Tokenizer } from '../text/tokenizer.js'
import { ApiError, wrongField } from './api-error.js'
import type { Connection } from './generation-routes.js'
import type { Ready } from './protocol.js'
import { type ScoreRequest, scoreRequest } from './requests.js'
import type { ServedModel } from './served-model.js'
import { checkCharacters } from './text-limit.js'

/** Answers `{prompt, response}` with `{tokens: [{id, start, end, text, reward}], total}`, as `emend score --json` prints it. */
export async function score(model: ServedModel, body: unknown, { signal }: Connection): Promise<Response> {
  const request = scoreRequest(body)
  const { compute, rewardTokenizer: tokenizer } = model
  const { reward } = compute.ready
  if (!reward || !tokenizer) {
    throw new ApiError(404, 'this server has no reward model; start it with --reward DIR', { code: 'no_reward_model' })
  }
  const given = await located(tokenizer, request.prompt, 'prompt', reward)
  const opening = typeof request.prompt === 'string' ? tokenizer.opening : []
  const prompt = Int32Array.of(...opening, ...given.ids)
  const response = await located(tokenizer, request.response, 'response', reward)
  const [eos] = reward.eos
  const ended = eos !== undefined && typeof request.response === 'string' && request.eos !== false
  const ids = ended ? Int32Array.of(...response.ids, eos) : Int32Array.from(response.ids)
  if (prompt.length === 0) throw wrongField('prompt', 'it holds no token; begin it with at least one')
  if (ids.length === 0) throw wrongField('response', 'it holds no token to score')
  const total = prompt.length + ids.length
  if (total > reward.context) {
    throw wrongField(
      'response',
      `prompt and response have ${prompt.length} + ${ids.length} tokens, the reward model reads ${reward.context}`,
      'context_length_exceeded',
    )
  }
  const scored = await compute.score({ prompt, response: ids }, signal)
  const end = response.text.length
  return Response.json({
    tokens: Array.from(ids, (id, i) => {
      const [from, to] = response.cover[i] ?? [end, end]
      const text = i < response.ids.length ? response.text.slice(response.tile[i], response.tile[i + 1]) : ''
      return { id, start: from, end: to, text, reward: scored.rewards[i] }
    }),
    total: scored.total,
  })
}

function located(
  tokenizer: Tokenizer,
  given: ScoreRequest['prompt'],
  param: string,
  { context, vocabulary }: NonNullable<Ready['reward']>,
): Promise<TokenizedText> | TokenizedText {
  if (typeof given === 'string') {
    checkCharacters(given, tokenizer, context, param)
    return tokenizer.encode(given)
  }
  try {
    return tokenizer.locate(given)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw wrongField(param, `${error.message}; expected ids from 0 to ${vocabulary - 1}`)
  }
}
