/** Annotators that are programs work on the same queue as people, through the same door of the store. */
import { type Edit, type EditOp, type RatioDistribution, ratioDistribution, wordEditRatio } from '@emend/edits'
import pLimit from 'p-limit'
import { ClaimError, type QueueItem, type Store } from '../data/store/index.js'
import { oneLine } from '../errors.js'
import { CallError, CapError } from '../providers/call-error.js'
import type { Annotator, Draft, Failing } from './annotator.js'

/** What became of the items. */
export interface QueueReport {
  readonly edited: number
  readonly unchanged: number
  /** The draft cannot be fixed. */
  readonly rejected: number
  /** The annotator had no usable edit; these stay pending, by why. */
  readonly failing: Readonly<Partial<Record<Failing, number>>>
  /** There was no answer at all; these stay pending, by what went wrong. */
  readonly failed: Readonly<Record<string, number>>
  /** Items that became someone else's meanwhile. */
  readonly lost: number
  /** Why it ended before its end, if it did. */
  readonly stopped?: string
  /** Of the edits, over words. */
  readonly edit_ratio: RatioDistribution
  readonly examples: readonly Pick<Edit, 'prompt' | 'draft' | 'final' | 'ops'>[]
}

/** How a queue is worked on. */
export interface QueueOptions {
  /** Most items; default all. */
  readonly limit?: number
  /** Items in hand at once; default 1. */
  readonly parallel?: number
  /** Once aborted no item is begun; those in hand come to their end. */
  readonly signal?: AbortSignal
  /** Edits kept to show; default 5. */
  readonly examples?: number
  /**
   * Tells processes of one annotator apart that work at the same time, so that no two of them hold one item; a process that goes on
   * for one that was killed has its name, such as the file of calls, which one process has at a time.
   */
  readonly desk?: string
  /** How many items there are to do. */
  onStart?(items: number): void
  onItem?(done: number): void
}

/** Longer than a call with all its retries. */
const LEASE_SECONDS = 3600
/** So many items in a row without an answer, besides those in hand, and there is nobody who answers. */
const MOST_UNANSWERED = 10

/**
 * Takes the items that are pending: an edit is submitted, an unchanged draft needs none, a rejected one cannot be fixed. What the
 * annotator fails at stays pending. A spending cap that is reached, a key that is denied or a provider that does not answer any
 * more ends the work; any error that is none of a provider's goes on to the caller once the items in hand are done, its item back
 * to the queue.
 */
export async function annotateQueue(
  store: Store,
  annotator: Annotator,
  options: QueueOptions = {},
): Promise<QueueReport> {
  const { limit, parallel = 1, signal, examples: most = 5, desk, onStart, onItem } = options
  const who = { ...annotator.by, ...(desk !== undefined && { window: desk }) }
  const counts = { edited: 0, unchanged: 0, rejected: 0, lost: 0 }
  const failing: Partial<Record<Failing, number>> = {}
  const failed: Record<string, number> = {}
  const ratios: number[] = []
  const examples: Edit[] = []
  let stopped: string | undefined
  let done = 0
  let unanswered = 0

  const decide = async (item: QueueItem): Promise<boolean> => {
    const from = performance.now()
    const edited = await annotator.edit(draftOf(item))
    if ('rejected' in edited) {
      if (edited.failing) {
        failing[edited.failing] = (failing[edited.failing] ?? 0) + 1
        return false
      }
      await store.discard(item.id, who, { why: 'cannot-be-fixed', reason: edited.rejected })
      counts.rejected++
    } else if (edited.final === item.response) {
      await store.discard(item.id, who, { why: 'no-edit-needed' })
      counts.unchanged++
    } else {
      const seconds = Math.round(performance.now() - from) / 1000
      const edit = await store.submit(item.id, who, { ...edited, seconds })
      counts.edited++
      ratios.push(wordEditRatio(edit.draft, edit.final, edit.ops as readonly EditOp[]))
      if (examples.length < most) examples.push(edit)
    }
    return true
  }

  const work = async (id: string) => {
    if (signal?.aborted || stopped !== undefined) return
    const item = await store.claim(who, { item: id, leaseSeconds: LEASE_SECONDS })
    if (!item || item.edit) {
      // Somebody was quicker.
      if (item) await store.release(id, who)
      counts.lost++
      return
    }
    let decided = false
    try {
      decided = await decide(item)
      unanswered = 0
    } catch (error) {
      if (error instanceof ClaimError) {
        counts.lost++
      } else if (error instanceof CallError || error instanceof CapError) {
        const why = error instanceof CapError ? 'spending cap' : error.failure
        failed[why] = (failed[why] ?? 0) + 1
        if (error instanceof CapError || error.failure === 'denied') stopped ??= error.message
        else if (error.retryable && ++unanswered >= MOST_UNANSWERED + parallel)
          stopped ??= `${unanswered} drafts in a row had no answer: ${error.message}`
      } else {
        stopped ??= oneLine(error)
        throw error
      }
    } finally {
      if (!decided) await store.release(id, who)
    }
    onItem?.(++done)
  }

  const ids: string[] = []
  for await (const { id } of openItems(store, annotator.by.name)) if (ids.push(id) === limit) break
  onStart?.(ids.length)
  const inHand = pLimit(parallel)
  const ends = await Promise.allSettled(ids.map(id => inHand(work, id)))
  const broken = ends.find(end => end.status === 'rejected')
  if (broken) throw broken.reason
  if (signal?.aborted) stopped ??= 'interrupted'
  return {
    ...counts,
    failing,
    failed,
    ...(stopped !== undefined && { stopped }),
    edit_ratio: ratioDistribution(ratios),
    examples,
  }
}

/** What is pending, and what this annotator held when its process was killed. */
export async function* openItems(store: Store, annotator: string): AsyncGenerator<QueueItem> {
  const size = 1000
  for (let page = 0; ; page++) {
    const { items } = await store.items({ page, size })
    for (const item of items)
      if (item.status === 'pending' || (item.status === 'claimed' && item.annotator === annotator && !item.edit))
        yield item
    if (items.length < size) return
  }
}

/** What an annotator is given of an item. */
export function draftOf({ prompt, response, preferred, reasons }: QueueItem): Draft {
  return { prompt, draft: response, ...(preferred !== undefined && { preferred }), ...(reasons && { reasons }) }
}
