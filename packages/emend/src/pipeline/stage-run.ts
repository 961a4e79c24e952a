/** A training run inside a stage: its folder, its threads, its progress, its Ctrl-C. */
import { setNumThreads } from '@emend/torch'
import { type Progress, say } from '../progress.js'
import { Run, type RunOptions } from '../training/run.js'
import type { StageContext } from './stage.js'

/** Computes with as many threads as the stage was given. */
export function useThreads({ threads }: StageContext): void {
  if (threads !== undefined) setNumThreads(threads)
}

/** Where a stage's training goes, how it is watched (as progress under `label`) and stopped. */
export function runOptions(context: StageContext, label: string): RunOptions & { folder: string; signal: AbortSignal } {
  let task: Progress | undefined
  return {
    folder: context.folder,
    signal: context.signal,
    onLine: say,
    onProgress: (done, total, note) => {
      task ??= context.progress(label, total, 'step')
      task.update(done, note)
    },
  }
}

export const runOf = (context: StageContext, label: string): Run => new Run(runOptions(context, label))
