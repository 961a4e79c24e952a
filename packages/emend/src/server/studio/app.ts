/** The studio over HTTP: the page, the queue behind it, and what a reward model thinks of a text. */
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { type Annotator, ClaimError, type ItemStatus, type Store } from '../../data/store/index.js'
import { EmendError, oneLine } from '../../errors.js'
import { ApiError, wrongField } from '../api-error.js'
import { guard } from '../guard.js'
import type { Page } from './page.js'
import { type bodies, bodyOf } from './requests.js'
import type { RewardReader } from './reward-reader.js'
import { listedItem, shownItem } from './shown-item.js'

export interface StudioAppOptions {
  readonly store: Store
  readonly page: Page
  /** who edits, where the page names nobody */
  readonly annotator: string
  /** tags for edits, at most nine get a key */
  readonly reasons: readonly string[]
  /** edit ratio above which an edit is flagged */
  readonly budget: number
  readonly reward?: RewardReader
  /** whether the server listens on this machine only */
  readonly loopback: boolean
  readonly leaseSeconds?: number
  /** told in one line what went wrong inside */
  log(line: string): void
}

const BODY_BYTES = 4 * 1024 * 1024
const PAGE = 50
const STATUSES: readonly ItemStatus[] = ['pending', 'claimed', 'done', 'discarded', 'skipped']

export function createStudioApp(options: StudioAppOptions): Hono {
  const { store, page, reward, leaseSeconds = 600 } = options
  const app = new Hono()
  app.use('*', secureHeaders({ contentSecurityPolicy: undefined, strictTransportSecurity: false }))
  app.use('*', guard(options))

  app.get('/healthz', c => c.json({ status: 'ok' }))
  app.get('/api/studio', async c =>
    c.json({
      annotator: options.annotator,
      reasons: options.reasons,
      budget: options.budget,
      leaseSeconds,
      reward: reward ? { name: reward.name, kind: reward.kind } : null,
      counts: await store.counts(),
    }),
  )
  app.get('/api/items', async c => {
    const status = c.req.query('status') as ItemStatus | undefined
    const at = Number(c.req.query('page') ?? 0)
    if (status !== undefined && !STATUSES.includes(status)) throw wrongField('status', `one of ${STATUSES.join(', ')}`)
    if (!Number.isSafeInteger(at) || at < 0) throw wrongField('page', 'a whole number')
    const { items, total } = await store.items({ page: at, size: PAGE, ...(status && { status }) })
    return c.json({ items: items.map(listedItem), total, counts: await store.counts() })
  })

  const who = (body: { annotator?: string | undefined; window: string }): Annotator => ({
    name: body.annotator ?? options.annotator,
    window: body.window,
  })
  const answers: { [K in keyof typeof bodies]: (body: ReturnType<typeof bodyOf<K>>) => Promise<object> } = {
    async claim(body) {
      const item = await store.claim(who(body), { leaseSeconds, ...(body.item !== undefined && { item: body.item }) })
      return { item: item && (await shownItem(item, store)), counts: await store.counts() }
    },
    async renew(body) {
      await store.renew(body.item, who(body), leaseSeconds)
      return {}
    },
    async release(body) {
      await store.release(body.item, who(body))
      return {}
    },
    async draft(body) {
      await store.saveDraft(body.item, who(body), body.text)
      // The text is kept in any case; the page is told when the item has become someone else's.
      await store.renew(body.item, who(body), leaseSeconds)
      return {}
    },
    async submit({ item, final, reasons, seconds, ...by }) {
      const edit = await store.submit(item, who(by), {
        final,
        ...(reasons && { reasons }),
        ...(seconds !== undefined && { seconds }),
      })
      return { edit: edit.id, counts: await store.counts() }
    },
    async discard({ item, why, reason, ...by }) {
      await store.discard(item, who(by), { why, ...(reason && { reason }) })
      return { counts: await store.counts() }
    },
    async skip({ item, ...by }) {
      await store.skip(item, who(by))
      return { counts: await store.counts() }
    },
    async undo(body) {
      const item = await store.undo(who(body))
      return { item: item && (await shownItem(item, store)), counts: await store.counts() }
    },
    async score({ prompt, response, eos }) {
      if (!reward) throw new ApiError(404, 'no reward model is open; start the studio with --reward DIR')
      return reward.score(prompt, response, eos ?? true)
    },
  }
  const limit = bodyLimit({
    maxSize: BODY_BYTES,
    onError: () => {
      throw new ApiError(413, `the body is larger than ${BODY_BYTES} bytes`, { code: 'body_too_large' })
    },
  })
  for (const kind of Object.keys(answers) as (keyof typeof bodies)[]) {
    app.post(`/api/${kind}`, limit, async c => {
      const body = bodyOf(kind, await json(c))
      return c.json(await (answers[kind] as (body: unknown) => Promise<object>)(body))
    })
  }

  app.get('*', c => page.response(c.req.path) ?? c.notFound())
  app.notFound(c => new ApiError(404, `${c.req.method} ${c.req.path}: nothing is here`).response())
  app.onError((error, c) => {
    if (error instanceof ApiError) return error.response()
    if (error instanceof ClaimError) return new ApiError(409, error.message, { code: 'not_yours' }).response()
    if (error instanceof EmendError) return new ApiError(400, error.message).response()
    options.log(`${c.req.method} ${c.req.path}: ${oneLine(error)}`)
    return new ApiError(500, 'the studio made a mistake; its log says more').response()
  })
  return app
}

async function json(c: Context): Promise<unknown> {
  try {
    return await c.req.json()
  } catch (error) {
    if (error instanceof ApiError) throw error
    throw new ApiError(400, `the body is no JSON: ${(error as Error).message}`, { code: 'invalid_json' })
  }
}
