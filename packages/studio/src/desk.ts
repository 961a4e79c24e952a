/** One annotator's desk: the item in hand, what was typed, what waits to be sent. Nothing typed is ever lost. */
import { type Counts, type DiscardWhy, get, type Item, Offline, post, Refused, type Studio } from './api'
import { remember, remembered } from './remembered'
import { holds } from './window-name'

/** Milliseconds after the last keystroke until the server gets the text; this browser has it at once. */
const DEBOUNCE = 400
const RETRY = 1500
/** A pause longer than this is no work on the item. */
const IDLE = 30_000
const LOOK_AGAIN = 10_000

/** What one may decide of an item. */
export type Decision =
  | { readonly act: 'submit' }
  | { readonly act: 'discard'; readonly why: DiscardWhy; readonly reason?: string }
  | { readonly act: 'skip' }

/** What this browser keeps of an item. */
interface Kept {
  readonly text: string
  readonly reasons: readonly string[]
  readonly seconds: number
  /** whether the server has it too */
  readonly saved: boolean
}

interface Waiting {
  readonly path: string
  readonly body: object
  readonly item: string
}

export interface DeskState {
  /** null: none is left; undefined: not known yet */
  readonly item: Item | null | undefined
  /** counts the items given: a new number is a new text in the editor */
  readonly serial: number
  readonly reasons: readonly string[]
  readonly counts: Counts
  /** whether the server has what was typed */
  readonly sync: 'saved' | 'saving' | 'offline'
  /** a decision is under way, or waits for the connection */
  readonly deciding: boolean
  /** the item became someone else's */
  readonly lost: boolean
  readonly notice?: string
}

export class Desk {
  readonly studio: Studio
  readonly #window: string
  #annotator: string
  #state: DeskState
  readonly #listeners = new Set<() => void>()
  #text = ''
  #unsaved = false
  #seconds = 0
  #lastActive = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #pumping: Promise<void> = Promise.resolve()

  constructor(studio: Studio, window: string) {
    this.studio = studio
    this.#window = window
    this.#annotator = remembered<string>('annotator') ?? studio.annotator
    this.#state = {
      item: undefined,
      serial: 0,
      reasons: [],
      counts: studio.counts,
      sync: 'saved',
      deciding: false,
      lost: false,
    }
    setInterval(
      () => {
        if (!this.#state.lost) void this.#renew()
      },
      (studio.leaseSeconds * 1000) / 4,
    )
    setInterval(() => {
      if (this.#state.item === null) this.#pump()
    }, LOOK_AGAIN)
    addEventListener('online', () => this.#pump())
    for (const kind of ['keydown', 'pointerdown', 'wheel']) {
      addEventListener(kind, () => this.#active(), { passive: true, capture: true })
    }
  }

  get state(): DeskState {
    return this.#state
  }

  get annotator(): string {
    return this.#annotator
  }

  /** What stands in the editor. */
  get text(): string {
    return this.#text
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #set(change: Partial<DeskState>): void {
    this.#state = { ...this.#state, ...change }
    for (const listener of this.#listeners) listener()
  }

  #who() {
    return { annotator: this.#annotator, window: this.#window }
  }

  /** Sends what a reload or a crash left behind, and goes on with the item that this window held. */
  async open(item: string | undefined): Promise<void> {
    const waiting = this.#waiting
    if (waiting) {
      this.#set({ deciding: true, notice: 'Sending what was decided before the page was closed …' })
      await this.#send()
    } else await this.#take(item)
  }

  /** Another person at this browser. */
  async rename(name: string): Promise<void> {
    if (this.#state.deciding) return this.say('The decision under way is sent first; then say who you are.')
    await this.#online(async () => {
      await this.#release()
      this.#annotator = name
      remember('annotator', name)
      this.#set({ item: undefined })
      await this.#take()
    })
  }

  /** The text as it is now: kept here at once, sent soon. */
  type(text: string): void {
    if (text === this.#text) return
    this.#text = text
    this.#keep(false)
    this.#unsaved = true
    if (this.#state.sync === 'saved') this.#set({ sync: 'saving' })
    this.#pumpIn(DEBOUNCE)
  }

  /** Adds or takes away a tag. */
  tag(reason: string): void {
    const { reasons } = this.#state
    this.#set({ reasons: reasons.includes(reason) ? reasons.filter(tag => tag !== reason) : [...reasons, reason] })
    this.#keep(!this.#unsaved)
  }

  /** Decides the item in hand; without a connection the decision waits here. */
  decide(decision: Decision): void {
    const { item, reasons, deciding, lost } = this.#state
    if (!item || deciding || lost) return
    this.#active()
    const { act, ...rest } = decision
    const submission = { final: this.#text, reasons, seconds: Math.round(this.#seconds * 10) / 10 }
    const body = { ...this.#who(), item: item.id, ...rest, ...(act === 'submit' && submission) }
    const kept = remember(this.#outbox, { path: `/api/${act}`, body, item: item.id } satisfies Waiting)
    this.#set({ deciding: true, ...(!kept && { notice: 'This browser keeps nothing: do not close the page yet.' }) })
    this.#inMemory = { path: `/api/${act}`, body, item: item.id }
    this.#pump()
  }

  /** Takes back the last decision. */
  async undo(): Promise<void> {
    if (this.#state.deciding) return
    await this.#online(async () => {
      const before = this.#state.item?.id
      await this.#release()
      const { item, counts } = await post<{ item: Item | null; counts: Counts }>('/api/undo', this.#who())
      if (item) this.#show(item, counts)
      else await this.#take(before, 'There is nothing to undo.')
    })
  }

  /** Goes to an item of the list; the one in hand goes back with what was typed. */
  async choose(id: string): Promise<void> {
    if (this.#state.deciding || id === this.#state.item?.id) return
    await this.#online(async () => {
      const before = this.#state.item?.id
      await this.#release()
      const answer = await post<{ item: Item | null; counts: Counts }>('/api/claim', { ...this.#who(), item: id })
      if (answer.item) this.#show(answer.item, answer.counts)
      else await this.#take(before, 'Someone else is editing that one.')
    })
  }

  /** Leaves an item that became someone else's. */
  async next(): Promise<void> {
    await this.#take()
  }

  /** Shows a line above the item. */
  say(notice: string): void {
    this.#set({ notice })
  }

  dismiss(): void {
    const { notice: _, ...rest } = this.#state
    this.#state = rest
    this.#set({})
  }

  // ── the item in hand

  async #take(item?: string, notice?: string): Promise<void> {
    await this.#online(async () => {
      let answer = await post<{ item: Item | null; counts: Counts }>('/api/claim', {
        ...this.#who(),
        ...(item !== undefined && { item }),
      }).catch((error: unknown) => {
        // An item of another store, or of one that is gone.
        if (error instanceof Refused && item !== undefined) return { item: null, counts: this.#state.counts }
        throw error
      })
      if (!answer.item && item !== undefined) answer = await post('/api/claim', this.#who())
      this.#show(answer.item, answer.counts, notice)
    })
  }

  #show(item: Item | null, counts: Counts, notice?: string): void {
    holds(this.#window, item?.id)
    const kept = item ? remembered<Kept>(this.#draftName(item.id)) : undefined
    this.#text = (kept && !kept.saved ? kept.text : undefined) ?? item?.draft ?? item?.response ?? ''
    this.#seconds = kept?.seconds ?? 0
    this.#lastActive = Date.now()
    this.#unsaved = kept !== undefined && !kept.saved
    const { notice: _, ...rest } = this.#state
    this.#state = rest
    const reasons = kept?.reasons ?? item?.reasons ?? []
    const serial = this.#state.serial + 1
    this.#set({ item, serial, reasons, counts, sync: 'saved', deciding: false, lost: false, ...(notice && { notice }) })
    if (this.#unsaved) this.#pump()
  }

  async #release(): Promise<void> {
    const { item, lost } = this.#state
    if (!item) return
    clearTimeout(this.#timer)
    if (this.#unsaved) await this.#saveDraft()
    if (!lost) await post('/api/release', { ...this.#who(), item: item.id })
    holds(this.#window, undefined)
  }

  async #renew(): Promise<void> {
    const { item, deciding } = this.#state
    if (!item || deciding) return
    try {
      await post('/api/renew', { ...this.#who(), item: item.id })
      if (this.#state.sync === 'offline' && !this.#unsaved) this.#set({ sync: 'saved' })
    } catch (error) {
      if (this.#state.item?.id === item.id) this.#failed(error)
    }
  }

  #active(): void {
    const now = Date.now()
    if (this.#lastActive && now - this.#lastActive < IDLE) this.#seconds += (now - this.#lastActive) / 1000
    this.#lastActive = now
  }

  // ── what this browser keeps

  readonly #draftName = (item: string) => `draft.${this.#annotator}.${item}`
  #inMemory: Waiting | undefined

  get #outbox(): string {
    return `waiting.${this.#window}`
  }

  get #waiting(): Waiting | undefined {
    return this.#inMemory ?? remembered<Waiting>(this.#outbox)
  }

  #keep(saved: boolean): void {
    const { item, reasons } = this.#state
    if (!item) return
    const kept: Kept = { text: this.#text, reasons, seconds: this.#seconds, saved }
    remember(this.#draftName(item.id), kept)
  }

  // ── sending: one thing after another

  /** Does what is left to do: after a connection that failed, at the least finds out that it is back. */
  #pump(): void {
    clearTimeout(this.#timer)
    this.#pumping = this.#pumping.then(async () => {
      const { item, deciding, sync } = this.#state
      if (this.#waiting) await this.#send()
      else if (!item || deciding) await this.#take()
      else if (this.#unsaved) await this.#saveDraft().catch((error: unknown) => this.#failed(error))
      else if (sync === 'offline') await this.#renew()
    })
  }

  #pumpIn(milliseconds: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#pump(), milliseconds)
  }

  async #saveDraft(): Promise<void> {
    const { item } = this.#state
    const text = this.#text
    if (!item) return
    let { lost } = this.#state
    try {
      await post('/api/draft', { ...this.#who(), item: item.id, text: text.toWellFormed() })
    } catch (error) {
      if (!isNotYours(error)) throw error
      // The store keeps the text all the same.
      lost = true
    }
    if (this.#state.item?.id !== item.id) return
    this.#set({ lost })
    if (this.#text !== text) return
    this.#unsaved = false
    this.#keep(true)
    this.#set({ sync: 'saved' })
  }

  async #send(): Promise<void> {
    const waiting = this.#waiting
    if (!waiting) return
    try {
      const { counts } = await post<{ counts: Counts }>(waiting.path, waiting.body)
      this.#forget()
      remember(this.#draftName(waiting.item), undefined)
      this.#unsaved = false
      this.#set({ counts })
      await this.#take()
    } catch (error) {
      if (error instanceof Refused) {
        this.#forget()
        this.#set({ deciding: false })
        if (!this.#state.item)
          return await this.#take(
            waiting.item,
            `What was decided before the page was closed is not stored: ${error.message}`,
          )
        if (this.#unsaved) this.#pump()
      }
      this.#failed(error)
    }
  }

  #forget(): void {
    this.#inMemory = undefined
    remember(this.#outbox, undefined)
  }

  #failed(error: unknown): void {
    if (error instanceof Offline) {
      this.#set({ sync: 'offline' })
      this.#pumpIn(RETRY)
    } else if (isNotYours(error)) {
      this.#set({ lost: true, sync: 'saved' })
    } else if (error instanceof Refused) this.#set({ notice: error.message })
    else throw error
  }

  /** Work that has no meaning without a connection: said so. */
  async #online(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => this.#failed(error))
  }
}

const isNotYours = (error: unknown) => error instanceof Refused && error.code === 'not_yours'

/** What the studio is. */
export const readStudio = (): Promise<Studio> => get<Studio>('/api/studio')
