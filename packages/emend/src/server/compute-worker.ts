/** Entry of the computing thread: loads the models, then works on what it is sent. It is ended by a message, never from outside. */
import { getPriority, setPriority } from 'node:os'
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

/** Behind the thread that answers, of which there is little to do and at once. */
const LATER = 5

/** Linux gives each thread a priority of its own, and to those that it starts, libtorch's among them; elsewhere it is the process's. */
function giveWay(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(Math.min(19, getPriority() + LATER))
  } catch {
    // Where it is not allowed both threads are equal, as elsewhere.
  }
}

const { model, reward, device, threads, maxRows } = workerData as ComputeSetup
const port = parentPort!
try {
  giveWay()
  if (threads !== undefined) setNumThreads(threads)
  const place = device ? { device } : {}
  const language = await LanguageModel.load(model, place)
  const judge = reward === undefined ? undefined : await RewardModel.load(reward, place)
  new ComputeLoop(port, language, { ...(judge && { reward: judge }), ...(maxRows && { maxRows }) })
} catch (error) {
  const failure: FromCompute = { type: 'unusable', message: oneLine(error), user: error instanceof EmendError }
  port.postMessage(failure)
}
