/** The bodies of requests: what is understood, what is refused by name, and what is ignored because it changes nothing. */
import { z } from 'zod'
import { type ApiError, wrongField } from './api-error.js'

const whole = z.int()
const id = z.int().min(0)
const stop = z.string().min(1).max(1000)
/** Says something about the caller, nothing about the answer. */
const ignored = z.unknown().optional()
/** Not supported: absent, null, or the value that asks for nothing. */
const refused = (neutral: (value: unknown) => boolean, instead = 'leave it out') =>
  z
    .unknown()
    .optional()
    .refine(value => value == null || neutral(value), `not supported by this server; ${instead}`)

const sampling = {
  model: z.string('expected the name of the model; see /v1/models'),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: whole.min(0).max(1_000_000).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).max(10).nullish(),
  n: whole.min(1).max(128).nullish(),
  seed: whole.nullish(),
  max_tokens: whole.min(1).nullish(),
  stop: z.union([stop, z.array(stop).max(4)], 'expected a text of 1 to 1,000 characters, or up to 4 of them').nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: ignored }).nullish(),
  presence_penalty: refused(value => value === 0, 'only 0; repetition_penalty is'),
  frequency_penalty: refused(value => value === 0, 'only 0; repetition_penalty is'),
  logit_bias: refused(value => typeof value === 'object' && Object.keys(value as object).length === 0),
  user: ignored,
}

const content = z.union(
  [z.string(), z.array(z.strictObject({ type: z.literal('text'), text: z.string() })).min(1)],
  "expected a text, or parts of type 'text'",
)

const chatSchema = z.strictObject({
  ...sampling,
  messages: z.array(z.strictObject({ role: z.string().min(1), content })).min(1),
  max_completion_tokens: whole.min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: whole.min(0).max(20).nullish(),
  tools: refused(value => Array.isArray(value) && value.length === 0),
  tool_choice: refused(value => value === 'none' || value === 'auto'),
  functions: refused(value => Array.isArray(value) && value.length === 0),
  response_format: refused(value => (value as { type?: unknown }).type === 'text', 'only {"type": "text"}'),
  modalities: refused(value => Array.isArray(value) && value.every(one => one === 'text')),
  reasoning_effort: refused(value => value === 'none'),
  store: refused(value => value === false),
  metadata: ignored,
  service_tier: ignored,
  parallel_tool_calls: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
})

const completionSchema = z.strictObject({
  ...sampling,
  prompt: z.union(
    [z.string(), z.array(z.string()).min(1), z.array(id).min(1), z.array(z.array(id).min(1)).min(1)],
    'expected a text, texts, token ids, or lists of token ids; none of the lists empty',
  ),
  logprobs: whole.min(0).max(5).nullish(),
  echo: refused(value => value === false),
  suffix: refused(value => value === ''),
  best_of: refused(value => value === 1),
})

const scoreSchema = z.strictObject({
  model: z.string().optional(),
  prompt: z.union([z.string(), z.array(id)], 'expected a text or token ids'),
  response: z.union([z.string(), z.array(id)], 'expected a text or token ids'),
  /** Whether a response given as text ends with the model's EOS; one given as ids is taken as it is. */
  eos: z.boolean().optional(),
})

export type ChatRequest = z.output<typeof chatSchema>
export type CompletionRequest = z.output<typeof completionSchema>
export type ScoreRequest = z.output<typeof scoreSchema>

/** @throws ApiError naming the first field that cannot be used */
export const chatRequest = (body: unknown): ChatRequest => checked(parse(chatSchema, body))

/** @throws ApiError naming the first field that cannot be used */
export const completionRequest = (body: unknown): CompletionRequest => checked(parse(completionSchema, body))

/** @throws ApiError naming the first field that cannot be used */
export const scoreRequest = (body: unknown): ScoreRequest => parse(scoreSchema, body)

function checked<R extends ChatRequest | CompletionRequest>(request: R): R {
  if (request.stream_options && !request.stream) throw wrongField('stream_options', 'only with "stream": true')
  if ('messages' in request && request.top_logprobs != null && !request.logprobs)
    throw wrongField('top_logprobs', 'only with "logprobs": true')
  return request
}

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const { data, error } = schema.safeParse(body)
  if (error) throw refusal(error.issues[0]!)
  return data
}

function refusal(issue: z.core.$ZodIssue): ApiError {
  const place = issue.path.reduce<string>(
    (path, key) => (typeof key === 'number' ? `${path}[${key}]` : path ? `${path}.${String(key)}` : String(key)),
    '',
  )
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!
    return wrongField(place ? `${place}.${key}` : key, 'not a field that this server knows')
  }
  return wrongField(place || 'body', issue.message)
}
