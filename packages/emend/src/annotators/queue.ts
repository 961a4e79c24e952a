/** Annotators that are programs work on the same queue as people, through the same door of the store. */
import { ClaimError, type Store } from '../data/store/index.js'
import type { Annotator } from './annotator.js'

/** What became of the items. */
export interface QueueReport {
  readonly edited: number
  readonly unchanged: number
  readonly rejected: number
  /** Items that became someone else's meanwhile. */
  readonly lost: number
}

/** How a queue is worked on. */
export interface QueueOptions {
  /** Most items; default all. */
  readonly limit?: number
  /** Items in hand at once; default 1. */
  readonly parallel?: number
  readonly signal?: AbortSignal
  onItem?(done: number): void
}

/**
 * Takes pending items until none is left: an edit is submitted, an unchanged draft needs none, a rejected one cannot be fixed.
 * Where the annotator throws, its item goes back to the queue, and the error on.
 */
export async function annotateQueue(
  store: Store,
  annotator: Annotator,
  options: QueueOptions = {},
): Promise<QueueReport> {
  const { limit = Number.POSITIVE_INFINITY, parallel = 1, signal, onItem } = options
  const report = { edited: 0, unchanged: 0, rejected: 0, lost: 0 }
  let begun = 0
  let done = 0
  const work = async (window: string) => {
    const who = { ...annotator.by, window }
    while (begun < limit && !signal?.aborted) {
      begun++
      const item = await store.claim(who)
      if (!item) return
      const from = performance.now()
      try {
        const { prompt, response: draft, preferred } = item
        const edited = await annotator.edit({ prompt, draft, ...(preferred !== undefined && { preferred }) })
        if ('rejected' in edited) {
          await store.discard(item.id, who, { why: 'cannot-be-fixed', reason: edited.rejected })
          report.rejected++
        } else if (edited.final === draft) {
          await store.discard(item.id, who, { why: 'no-edit-needed' })
          report.unchanged++
        } else {
          const seconds = Math.round(performance.now() - from) / 1000
          await store.submit(item.id, who, { ...edited, seconds })
          report.edited++
        }
      } catch (error) {
        if (!(error instanceof ClaimError)) {
          await store.release(item.id, who)
          throw error
        }
        report.lost++
      }
      onItem?.(++done)
    }
  }
  await Promise.all(Array.from({ length: parallel }, (_, i) => work(`${process.pid}-${i}`)))
  return report
}
