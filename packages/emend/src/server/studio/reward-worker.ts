/** Entry of the thread that reads rewards. It is ended by a message, never from outside. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Device, setNumThreads } from '@emend/torch'
import { oneLine } from '../../errors.js'
import { RewardModel } from '../../rewards/reward-model.js'

/** What the thread is started with. */
export interface ReaderSetup {
  readonly folder: string
  readonly device?: Device
  readonly threads?: number
}

export type ToReader = 'close' | { readonly task: number; readonly prompt: Int32Array; readonly response: Int32Array }

export type FromReader =
  | {
      readonly type: 'ready'
      readonly kind: string
      /** fingerprint */
      readonly tokenizer: string
      readonly eos: readonly number[]
      readonly context: number
    }
  | { readonly type: 'read'; readonly task: number; readonly rewards: Float32Array; readonly total: number }
  /** Task −1: the model cannot be loaded, and the thread ends. */
  | { readonly type: 'failed'; readonly task: number; readonly message: string }

const { folder, device, threads } = workerData as ReaderSetup
const port = parentPort!
const send = (message: FromReader) => port.postMessage(message)
try {
  if (threads !== undefined) setNumThreads(threads)
  const model = await RewardModel.load(folder, device ? { device } : {})
  const { eos, maxPositions } = model.scalar.config
  port.on('message', (message: ToReader) => {
    if (message === 'close') return port.close()
    const { task, prompt, response } = message
    try {
      const [read] = model.readAll([prompt], [response])
      send({ type: 'read', task, rewards: read!.token, total: read!.sequence })
    } catch (error) {
      send({ type: 'failed', task, message: oneLine(error) })
    }
  })
  send({ type: 'ready', kind: model.objective.kind, tokenizer: model.tokenizer, eos, context: maxPositions })
} catch (error) {
  send({ type: 'failed', task: -1, message: oneLine(error) })
}
