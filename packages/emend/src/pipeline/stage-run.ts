/** A training run inside a stage: its folder, its threads, its progress, its Ctrl-C. */
import { setNumThreads } from '@emend/torch'
import type { Progress } from '../progress.js'
import { Run } from '../training/run.js'
import type { StageContext } from './stage.js'

/** Computes with as many threads as the stage was given. */
export function useThreads({ threads }: StageContext): void {
  if (threads !== undefined) setNumThreads(threads)
}

/** A run in the stage's folder, whose steps are shown as progress under `label`. */
export function runOf(context: StageContext, label: string): Run {
  let task: Progress | undefined
  return new Run({
    folder: context.folder,
    signal: context.signal,
    onProgress: (done, total, note) => {
      task ??= context.progress(label, total, 'step')
      task.update(done, note)
    },
  })
}
