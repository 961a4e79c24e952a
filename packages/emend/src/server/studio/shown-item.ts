/** An item of the queue as the page gets it: texts too long for a page cut, with a notice. */
import type { Prompt } from '@emend/edits'
import type { QueueItem, Store, UndoneItem } from '../../data/store/index.js'

/** UTF-16 units of a text that the page shows; what is longer cannot be edited there. */
export const SHOWN_LENGTH = 100_000

export interface ShownItem {
  readonly id: string
  readonly status: QueueItem['status']
  readonly prompt: Prompt
  readonly response: string
  readonly preferred?: string
  readonly source?: string
  /** What was typed or submitted before; the editor begins with it. */
  readonly draft?: string
  /** What was said to be wrong, in the edit that it has or that was just withdrawn. */
  readonly reasons?: readonly string[]
  /** Whether the item has an edit already, which a submission would supersede. */
  readonly edited: boolean
  readonly leaseUntil?: string
  /** UTF-16 units that the response really has, where only its beginning is sent: it is read-only then. */
  readonly wholeLength?: number
}

/** A line of the list. */
export interface ListedItem {
  readonly id: string
  readonly status: QueueItem['status']
  readonly excerpt: string
  readonly annotator?: string
  readonly why?: QueueItem['why']
  readonly reason?: string
}

/** The item, its texts at most `SHOWN_LENGTH` long each. */
export async function shownItem(item: UndoneItem, store: Store): Promise<ShownItem> {
  const { id, status, prompt, response, preferred, source, leaseUntil } = item
  const edit = item.withdrawn ?? (item.edit === undefined ? undefined : await store.edit(item.edit))
  // Submitted is what stood in the editor then, or what someone else made of it: newer than what was saved while it was typed.
  const draft = edit && !(item.draftAt && item.draftAt >= edit.at) ? edit.final : item.draft
  const long = response.length > SHOWN_LENGTH
  return {
    id,
    status,
    prompt: typeof prompt === 'string' ? cut(prompt) : cutTurns(prompt),
    response: cut(response),
    edited: item.edit !== undefined,
    ...(preferred !== undefined && { preferred: cut(preferred) }),
    ...(source !== undefined && { source }),
    ...(draft !== undefined && !long && { draft }),
    ...(edit?.reasons && { reasons: edit.reasons }),
    ...(leaseUntil !== undefined && { leaseUntil }),
    ...(long && { wholeLength: response.length }),
  }
}

export function listedItem({ id, status, response, annotator, why, reason }: QueueItem): ListedItem {
  const excerpt = cut(response, 160).replace(/\s+/g, ' ').trim()
  return { id, status, excerpt, ...(annotator && { annotator }), ...(why && { why }), ...(reason && { reason }) }
}

function cutTurns(turns: Exclude<Prompt, string>): Prompt {
  let left = SHOWN_LENGTH
  return turns.map(turn => {
    const content = cut(turn.content, left)
    left = Math.max(0, left - turn.content.length)
    return { ...turn, content }
  })
}

/** The beginning of a text, no surrogate pair parted, with a notice of what is left out. */
function cut(text: string, length = SHOWN_LENGTH): string {
  if (text.length <= length) return text
  const end = (text.charCodeAt(length - 1) & 0xfc00) === 0xd800 ? length - 1 : length
  return `${text.slice(0, end)}…`
}
