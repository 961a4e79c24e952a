/** Entry of the computing thread: loads the models, then works on what it is sent. It is ended by a message, never from outside. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Device, setNumThreads } from '@emend/torch'
import { EmendError, oneLine } from '../errors.js'
import { LanguageModel } from '../language-model.js'
import { RewardModel } from '../rewards/reward-model.js'
import { ComputeLoop } from './compute-loop.js'
import type { FromCompute } from './protocol.js'

/** What the thread is started with. */
export interface ComputeSetup {
  readonly model: string
  readonly reward?: string
  readonly device?: Device
  readonly threads?: number
  readonly maxRows?: number
}

const { model, reward, device, threads, maxRows } = workerData as ComputeSetup
const port = parentPort!
try {
  if (threads !== undefined) setNumThreads(threads)
  const place = device ? { device } : {}
  const language = await LanguageModel.load(model, place)
  const judge = reward === undefined ? undefined : await RewardModel.load(reward, place)
  new ComputeLoop(port, language, { ...(judge && { reward: judge }), ...(maxRows && { maxRows }) })
} catch (error) {
  const failure: FromCompute = { type: 'unusable', message: oneLine(error), user: error instanceof EmendError }
  port.postMessage(failure)
}
