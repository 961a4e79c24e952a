/** The studio's server as the page sees it. */
import type { Prompt } from '@emend/edits'

export type Status = 'pending' | 'claimed' | 'done' | 'discarded' | 'skipped'
export type Counts = Readonly<Record<Status, number>>
export type DiscardWhy = 'no-edit-needed' | 'cannot-be-fixed'

export interface Studio {
  readonly annotator: string
  readonly reasons: readonly string[]
  readonly budget: number
  readonly leaseSeconds: number
  readonly reward: { readonly name: string; readonly kind: string } | null
  readonly counts: Counts
}

export interface Item {
  readonly id: string
  readonly status: Status
  readonly prompt: Prompt
  readonly response: string
  readonly preferred?: string
  readonly source?: string
  readonly draft?: string
  readonly reasons?: readonly string[]
  readonly edited: boolean
  readonly wholeLength?: number
}

export interface ListedItem {
  readonly id: string
  readonly status: Status
  readonly excerpt: string
  readonly annotator?: string
  readonly why?: DiscardWhy
  readonly reason?: string
}

export interface Heat {
  readonly tokens: readonly { id: number; start: number; end: number; text: string; reward: number }[]
  readonly total: number
  /** the reward at which colour is full */
  readonly full: number
}

/** A refusal of the server: what it says is meant for people. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string | null,
    message: string,
  ) {
    super(message)
  }
}

/** The server cannot be reached, or is not itself. */
export class Offline extends Error {}

async function answer<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response
  try {
    response = await fetch(path, { ...init, signal: AbortSignal.timeout(20_000) })
  } catch {
    throw new Offline('the studio cannot be reached')
  }
  if (response.status >= 500) throw new Offline(`the studio answers ${response.status}`)
  const body = (await response.json().catch(() => ({}))) as { error?: { message: string; code: string | null } }
  if (!response.ok)
    throw new Refused(response.status, body.error?.code ?? null, body.error?.message ?? `status ${response.status}`)
  return body as T
}

export const get = <T>(path: string): Promise<T> => answer<T>(path)

export const post = <T>(path: string, body: object): Promise<T> =>
  answer<T>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
