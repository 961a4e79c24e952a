/** Starts and stops the server: the computing thread first, then the door. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Device } from '@emend/torch'
import { createAdaptorServer } from '@hono/node-server'
import { EmendError, oneLine } from '../errors.js'
import type { Guard } from '../guards/guard.js'
import type { ChatModel } from '../providers/chat-model.js'
import { Tokenizer } from '../text/index.js'
import { Admission } from './admission.js'
import { answerGuard } from './answer-guard.js'
import { createApp } from './app.js'
import { encodeConversation } from './conversation.js'
import { isLoopback } from './guard.js'
import { servedChat } from './served-chat.js'
import type { ServedModel } from './served-model.js'
import { type StartedCompute, startCompute } from './start-compute.js'

export interface ServeOptions {
  /** a Hugging Face folder or a GGUF file */
  readonly model: string
  /** what requests call it; default the last part of its path */
  readonly name?: string
  /** folder of a reward model, and its tokenizer */
  readonly reward?: { readonly folder: string; readonly tokenizer: Tokenizer }
  /** default 127.0.0.1 */
  readonly host?: string
  /** default 8080; 0 takes any that is free */
  readonly port?: number
  /** samples computed together; default the engine's */
  readonly maxRows?: number
  /** samples that wait; beyond them requests get 429. Default 256 */
  readonly queue?: number
  readonly device?: Device
  readonly threads?: number
  /** Makes who is asked before anything is generated, by the served model itself or by another; default nobody. */
  guard?(served: ChatModel): Guard
  /** what `Authorization: Bearer` must carry; default nothing */
  readonly apiKey?: string
  /** told in one line what went wrong inside; default stderr */
  log?(line: string): void
}

export interface RunningServer {
  /** such as `http://127.0.0.1:8080` */
  readonly url: string
  readonly model: string
  /** Settles when the server ends: fulfilled after `close`, rejected when the computing thread is lost. */
  readonly ended: Promise<void>
  /** Lets nobody in, gives what is under way so long, then ends it, and waits for the computing thread. */
  close(graceMs?: number): Promise<void>
}

const ROWS = 64
const QUEUE = 256
const GRACE_MS = 10_000
/** Longer than clients keep connections that they may use again. */
const KEEP_ALIVE_MS = 75_000

/**
 * Serves a model over HTTP; settles once it answers.
 *
 * @throws EmendError of one line: a model that cannot be loaded, tokenizers that do not fit, an address that cannot be used
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { model, reward, port = 8080, maxRows = ROWS } = options
  if (port > 65_535) throw new EmendError(`cannot listen on port ${port}: expected 0 to 65535`)
  const started = await startCompute({
    ...{ model, maxRows },
    ...(reward && { reward: reward.folder }),
    ...(options.device && { device: options.device }),
    ...(options.threads && { threads: options.threads }),
  })
  try {
    return await open(options, started)
  } catch (error) {
    // A thread that is not ended would keep the process.
    await stop(started)
    throw error
  }
}

async function stop({ compute, exited }: StartedCompute): Promise<void> {
  compute.close()
  await exited
}

/** The door before a computing thread. */
async function open(options: ServeOptions, started: StartedCompute): Promise<RunningServer> {
  const { model: path, reward, host = '127.0.0.1', port = 8080, queue = QUEUE, maxRows = ROWS } = options
  const { compute, exited } = started
  const log = options.log ?? (line => process.stderr.write(`emend serve: ${line}\n`))
  const name = options.name ?? basename(path).replace(/\.gguf$/, '')
  if (reward && compute.ready.reward?.tokenizer !== reward.tokenizer.fingerprint)
    throw new EmendError(`${reward.folder} was trained with another tokenizer than the one given for it`)
  // The computing thread has found it, in whatever kind of file the model is.
  const { source, config } = compute.ready.tokenizer
  const tokenizer = Tokenizer.parse(source, { where: path, ...(config && { config }) })
  const admission = new Admission(maxRows + queue)
  const model: ServedModel = {
    id: name,
    created: Math.floor(Date.now() / 1000),
    tokenizer,
    encodeChat: encodeConversation(tokenizer),
    compute,
    ...(reward && { rewardTokenizer: reward.tokenizer }),
  }
  const guard = options.guard?.(servedChat(model))
  // A guard that cannot be asked would make every answer an error: that is told now.
  await guard?.check([{ role: 'user', content: 'Hello' }]).catch((error: unknown) => {
    throw new EmendError(`the guard gives no verdict: ${oneLine(error)}`, { cause: error })
  })
  const app = createApp(
    { ...model, ...(guard && { guard: answerGuard(guard, log) }) },
    {
      admission,
      loopback: isLoopback(host),
      log,
      ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
    },
  )
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions: { keepAliveTimeout: KEEP_ALIVE_MS } }) as Server
  const address = await listen(server, host, port)

  let closing: Promise<void> | undefined
  const ended = exited.then(why => {
    if (!closing) throw new EmendError(`the computing thread is gone: ${why}; start the server again`)
  })
  ended.catch(error => log(error.message))
  const close = async (graceMs: number) => {
    admission.close()
    const closed = new Promise(resolve => server.close(resolve))
    server.closeIdleConnections()
    const last = Date.now() + graceMs
    while (admission.used > 0 && compute.alive && Date.now() < last) await sleep(20)
    server.closeAllConnections()
    await closed
    await stop(started)
  }
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    model: name,
    ended,
    close: (graceMs = GRACE_MS) => (closing ??= close(graceMs)),
  }
}

/** Begins to listen; the address may be in use, not this machine's, or not allowed. */
function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why: Record<string, string> = {
        EADDRINUSE: 'the port is in use; choose another with --port',
        EACCES: 'not allowed; choose a port from 1024',
        EADDRNOTAVAIL: 'this machine has no such address; choose another with --host',
        ENOTFOUND: 'no such host; choose another with --host',
      }
      reject(new EmendError(`cannot listen on ${host}:${port}: ${why[error.code ?? ''] ?? error.message}`))
    })
    server.listen(port, host, () => resolve(server.address() as AddressInfo))
  })
}
