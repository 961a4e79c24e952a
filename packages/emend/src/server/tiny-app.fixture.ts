/** The application with its computing side on a message channel in the same thread. */
import { MessageChannel } from 'node:worker_threads'
import type { Guard } from '../guards/guard.js'
import { LanguageModel } from '../language-model.js'
import { RewardModel } from '../rewards/index.js'
import { Admission } from './admission.js'
import { answerGuard } from './answer-guard.js'
import { createApp } from './app.js'
import { ComputeClient } from './compute-client.js'
import { ComputeLoop } from './compute-loop.js'
import { encodeConversation } from './conversation.js'
import type { FromCompute } from './protocol.js'
import type { ServedModel } from './served-model.js'

export interface TinyAppOptions {
  readonly folder: string
  readonly reward?: string
  readonly capacity?: number
  readonly apiKey?: string
  readonly maxRows?: number
  readonly loopback?: boolean
  readonly guard?: Guard
}

/** What a request got. */
export interface Got<T = unknown> {
  readonly status: number
  readonly headers: Headers
  readonly body: T
}

/** The application and ways to ask it. */
export async function tinyApp(options: TinyAppOptions) {
  const { folder, reward, capacity = 64, apiKey, maxRows, loopback = true, guard } = options
  const model = await LanguageModel.load(folder)
  const { tokenizer } = model
  const { port1, port2 } = new MessageChannel()
  const compute = new Promise<ComputeClient>(resolve => {
    let client: ComputeClient | undefined
    port2.on('message', (message: FromCompute) => {
      if (message.type !== 'ready') return client?.receive(message)
      client = new ComputeClient(port2, message)
      resolve(client)
    })
  })
  const judge = reward === undefined ? undefined : await RewardModel.load(reward)
  new ComputeLoop(port1, model, { ...(judge && { reward: judge }), ...(maxRows && { maxRows }) })
  const client = await compute
  const admission = new Admission(capacity)
  const logged: string[] = []
  const log = (line: string) => logged.push(line)
  const served: ServedModel = {
    ...{ id: 'tiny', created: 1, tokenizer, encodeChat: encodeConversation(tokenizer), compute: client },
    ...(judge && { rewardTokenizer: tokenizer }),
    ...(guard && { guard: answerGuard(guard, log) }),
  }
  const app = createApp(served, { admission, loopback, log, ...(apiKey === undefined ? {} : { apiKey }) })
  const request = async <T>(path: string, init: RequestInit = {}): Promise<Got<T>> => {
    const headers = { host: 'localhost:8080', ...(init.headers as Record<string, string>) }
    const response = await app.request(path, { ...init, headers })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json')
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T }
  }
  return {
    ...{ app, model, served, client, admission, logged, request },
    /** Posts a body, as JSON unless it is a text. */
    post: <T>(path: string, body: unknown, init: RequestInit = {}) =>
      request<T>(path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...init,
        headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string>) },
      }),
    close: () => client.close(),
  }
}
