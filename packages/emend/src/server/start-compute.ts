/** Starts the computing thread and waits until its models are loaded. */
import { Worker } from 'node:worker_threads'
import { EmendError } from '../errors.js'
import { ComputeClient } from './compute-client.js'
import type { ComputeSetup } from './compute-worker.js'
import type { FromCompute } from './protocol.js'

export interface StartedCompute {
  readonly compute: ComputeClient
  /** Settles when the thread has ended, with what ended it if nobody asked for it. */
  readonly exited: Promise<string>
}

/** @throws EmendError with the reason why a model cannot be loaded */
export async function startCompute(setup: ComputeSetup): Promise<StartedCompute> {
  const worker = new Worker(new URL('./compute-worker.js', import.meta.url), { workerData: setup })
  let reason = 'it ended'
  worker.on('error', error => {
    reason = error.message
  })
  const exited = new Promise<string>(resolve => {
    worker.once('exit', () => resolve(reason))
  })
  const compute = await new Promise<ComputeClient>((resolve, reject) => {
    const lost = (why: string) => reject(new Error(`the computing thread ended while it loaded: ${why}`))
    void exited.then(lost)
    worker.once('message', (message: FromCompute) => {
      if (message.type === 'ready') resolve(new ComputeClient(worker, message))
      else if (message.type === 'unusable')
        reject(message.user ? new EmendError(message.message) : new Error(message.message))
    })
  })
  worker.on('message', (message: FromCompute) => compute.receive(message))
  void exited.then(why => compute.end(`the computing thread is gone: ${why}`))
  return { compute, exited }
}
