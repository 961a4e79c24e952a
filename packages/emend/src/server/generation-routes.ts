/** `/v1/chat/completions` and `/v1/completions`: from a request to samples, and back as one answer or as a stream. */
import { randomInt, randomUUID } from 'node:crypto'
import type { GuardVerdict } from '../guards/guard.js'
import { encodePrompts } from '../text/prompts.js'
import type { Answer } from './answer.js'
import { refusalAnswer, toldVerdict, verdictHeader } from './answer-guard.js'
import { ApiError, wrongField } from './api-error.js'
import { chatDialect, completionDialect, type Dialect, type Piece } from './dialect.js'
import type { GenerateTask, SettledToken } from './protocol.js'
import { type ChatRequest, type CompletionRequest, chatRequest, completionRequest } from './requests.js'
import { checkModel, type ServedModel } from './served-model.js'
import { checkCharacters } from './text-limit.js'

/** What a route knows of the connection it answers. */
export interface Connection {
  /** aborted when the client goes away */
  readonly signal: AbortSignal
  /** places there are in all */
  readonly capacity: number
  /** Takes places for what the request computes beyond its first sample; they are freed with the request's own. */
  reserve(places: number): unknown
  /** Cuts the connection to a client that does not read. */
  drop(): void
}

/** What may wait for a client, in tokens and likely tokens beside them: some megabytes. */
const LAG = 65_536
/** A client that takes nothing for so long is given up. */
const STALL_MS = 60_000
/** The API's own default, and its default for chats is the context. */
const COMPLETION_TOKENS = 16

/** Answers a chat request. */
export async function chat(model: ServedModel, body: unknown, connection: Connection): Promise<Response> {
  const request = chatRequest(body)
  checkModel(model, request.model)
  const messages = request.messages.map(({ role, content }) => ({
    role,
    content: typeof content === 'string' ? content : content.map(part => part.text).join(''),
  }))
  reserveChoices(connection, request.n ?? 1, 'n')
  for (const [i, { content }] of messages.entries())
    checkCharacters(content, model.tokenizer, model.compute.ready.context, `messages[${i}].content`)
  const prompt = await model.encodeChat(messages)
  checkPrompt(model, prompt, 'messages')
  const maxNewTokens = request.max_completion_tokens ?? request.max_tokens ?? model.compute.ready.context
  const topLogprobs = request.logprobs ? (request.top_logprobs ?? 0) : undefined
  const verdict = await model.guard?.check(messages, connection.signal)
  const dialect = chatDialect(model.tokenizer)
  return respond(model, dialect, request, [prompt], maxNewTokens, topLogprobs, connection, verdict)
}

/** Answers a completion request; several prompts make as many choices, in their order. */
export async function completion(model: ServedModel, body: unknown, connection: Connection): Promise<Response> {
  const request = completionRequest(body)
  checkModel(model, request.model)
  const n = request.n ?? 1
  reserveChoices(connection, n * promptCount(request.prompt), n > 1 ? 'n' : 'prompt')
  const prompts = await promptIds(model, request.prompt)
  for (const [i, prompt] of prompts.entries())
    checkPrompt(model, prompt, prompts.length > 1 ? `prompt[${i}]` : 'prompt')
  const maxNewTokens = request.max_tokens ?? COMPLETION_TOKENS
  const dialect = completionDialect(model.tokenizer)
  // Prompts of one request are one conversation to a guard: refused together, or not at all.
  const turns = () => prompts.map(ids => ({ role: 'user', content: model.tokenizer.decode(ids, { specials: true }) }))
  const verdict = await model.guard?.check(turns(), connection.signal)
  return respond(model, dialect, request, prompts, maxNewTokens, request.logprobs ?? undefined, connection, verdict)
}

function reserveChoices({ capacity, reserve }: Connection, choices: number, param: string): void {
  if (choices > capacity) {
    throw wrongField(param, `${choices} choices; this server takes ${capacity} at once`, 'too_many_choices')
  }
  reserve(choices - 1)
}

const promptCount = (prompt: CompletionRequest['prompt']) =>
  typeof prompt === 'string' || typeof prompt[0] === 'number' ? 1 : prompt.length

async function promptIds(model: ServedModel, prompt: CompletionRequest['prompt']): Promise<Int32Array[]> {
  if (typeof prompt === 'string') return promptIds(model, [prompt])
  if (typeof prompt[0] === 'string') {
    for (const [i, text] of prompt.entries())
      checkCharacters(text as string, model.tokenizer, model.compute.ready.context, i > 0 ? `prompt[${i}]` : 'prompt')
    return encodePrompts(model.tokenizer, prompt as string[])
  }
  if (typeof prompt[0] === 'number') return [Int32Array.from(prompt as number[])]
  return (prompt as number[][]).map(ids => Int32Array.from(ids))
}

function checkPrompt({ compute }: ServedModel, ids: Int32Array, param: string): void {
  const { context, vocabulary } = compute.ready
  if (ids.length === 0) throw wrongField(param, 'it holds no token; begin it with at least one')
  if (ids.length >= context) {
    throw wrongField(
      param,
      `got ${ids.length} tokens; the model's context of ${context} leaves no room for a reply (at most ${context - 1})`,
      'context_length_exceeded',
    )
  }
  const unknown = ids.find(id => id < 0 || id >= vocabulary)
  if (unknown !== undefined) throw wrongField(param, `got the token id ${unknown}, expected 0 to ${vocabulary - 1}`)
}

async function respond(
  model: ServedModel,
  dialect: Dialect,
  request: ChatRequest | CompletionRequest,
  prompts: readonly Int32Array[],
  maxNewTokens: number,
  topLogprobs: number | undefined,
  connection: Connection,
  verdict: GuardVerdict | undefined,
): Promise<Response> {
  const n = request.n ?? 1
  const choices = prompts.length * n
  const stop = request.stop ?? []
  const task: Omit<GenerateTask, 'task' | 'prompt' | 'request'> = {
    n,
    maxNewTokens,
    sampling: {
      temperature: request.temperature ?? 1,
      topK: request.top_k ?? 0,
      topP: request.top_p ?? 1,
      minP: request.min_p ?? 0,
      repetitionPenalty: request.repetition_penalty ?? 1,
    },
    seed: request.seed ?? randomInt(2 ** 32),
    stop: typeof stop === 'string' ? [stop] : stop,
    ...(topLogprobs === undefined ? {} : { topLogprobs }),
  }
  const answer = verdict?.refused
    ? refusalAnswer(choices)
    : model.compute.generate(
        prompts.map((prompt, i) => ({ ...task, prompt, request: i })),
        LAG,
        connection.drop,
      )
  connection.signal.addEventListener('abort', () => answer.cancel(), { once: true })
  if (connection.signal.aborted) answer.cancel()

  const head = { id: `${dialect.prefix}-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: model.id }
  const promptTokens = prompts.reduce((sum, { length }) => sum + length, 0)
  const headers: Record<string, string> = verdict ? { 'emend-guard': verdictHeader(verdict) } : {}
  if (!request.stream) {
    const told = verdict ? { ...head, emend: { guard: toldVerdict(verdict) } } : head
    return whole(dialect, told, answer, choices, promptTokens, headers)
  }
  const includeUsage = request.stream_options?.include_usage ?? false
  return stream(chunks(dialect, head, answer, choices, promptTokens, includeUsage), answer, connection, headers)
}

const usageOf = (promptTokens: number, generated: number) => ({
  prompt_tokens: promptTokens,
  completion_tokens: generated,
  total_tokens: promptTokens + generated,
})

/** The whole answer once every choice is finished. */
async function whole(
  dialect: Dialect,
  head: object,
  answer: Answer,
  choices: number,
  promptTokens: number,
  headers: Record<string, string>,
) {
  const texts: string[] = new Array(choices).fill('')
  const tokens = Array.from({ length: choices }, (): SettledToken[] | undefined => undefined)
  const finishes: Piece['finish'][] = new Array(choices).fill(null)
  let generated = 0
  for (let events = await answer.next(); events; events = await answer.next()) {
    for (const event of events) {
      texts[event.index] += event.text
      if (event.tokens) (tokens[event.index] ??= []).push(...event.tokens)
      if (event.finish) finishes[event.index] = event.finish
      generated += event.generated ?? 0
    }
  }
  const body = {
    ...head,
    object: dialect.object,
    choices: texts.map((text, index) => {
      const settled = tokens[index]
      return dialect.whole({ index, text, finish: finishes[index]!, ...(settled && { tokens: settled }) })
    }),
    usage: usageOf(promptTokens, generated),
  }
  return Response.json(body, { headers })
}

/** The answer as server-sent events, as much at a time as there is. */
async function* chunks(
  dialect: Dialect,
  head: object,
  answer: Answer,
  choices: number,
  promptTokens: number,
  includeUsage: boolean,
): AsyncGenerator<string> {
  const line = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`
  const chunk = (choice: object | undefined) =>
    choice
      ? line({ ...head, object: dialect.chunkObject, choices: [choice], ...(includeUsage && { usage: null }) })
      : ''
  const openings = Array.from({ length: choices }, (_, index) => chunk(dialect.opening(index))).join('')
  if (openings) yield openings
  let generated = 0
  try {
    for (let events = await answer.next(); events; events = await answer.next()) {
      yield events
        .map(({ finish = null, ...event }) => {
          generated += event.generated ?? 0
          return chunk(dialect.delta({ ...event, finish }))
        })
        .join('')
    }
  } catch (error) {
    // The status has been sent: clients look for `error` in the events.
    yield line(error instanceof ApiError ? error : new ApiError(500, 'the answer could not be finished'))
    return
  }
  const usage = usageOf(promptTokens, generated)
  yield (includeUsage ? line({ ...head, object: dialect.chunkObject, choices: [], usage }) : '') + 'data: [DONE]\n\n'
}

/** Sends what a generator yields as fast as the client reads, and nothing ahead of it. */
function stream(
  source: AsyncGenerator<string>,
  answer: Answer,
  connection: Connection,
  headers: Record<string, string>,
): Response {
  const utf8 = new TextEncoder()
  let stalled: NodeJS.Timeout | undefined
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stalled)
        const { done, value } = await source.next()
        if (done) return controller.close()
        controller.enqueue(utf8.encode(value))
        stalled = setTimeout(connection.drop, STALL_MS).unref()
      },
      cancel() {
        clearTimeout(stalled)
        answer.cancel()
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, {
    headers: { ...headers, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
  })
}
