import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserPath, openWindow, saved, showing, startBrowser, startStudio, using } from './studio.fixture.js'

const items = (n: number) =>
  Array.from({ length: n }, (_, i) => ({ prompt: `Question ${i}`, response: `Reply ${i}: it were sent.` }))

let browser: Browser
const fresh = () => browser.newContext()

/** The next call of this kind never reaches the studio. */
const failNext = (page: Page, call: string) => page.route(`**/api/${call}`, route => route.abort(), { times: 1 })

describe.skipIf(!browserPath)('one call that fails', () => {
  beforeAll(async () => {
    browser = await startBrowser()
  })
  afterAll(() => browser?.close())

  it('while nothing waits to be sent: the page finds the connection again, and sends what is typed meanwhile', async () => {
    const studio = await startStudio(items(1), { args: ['--lease', '2'] })
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await failNext(page, 'renew')
    await page.waitForSelector('.sync.offline')
    await saved(page)
    await failNext(page, 'renew')
    await page.waitForSelector('.sync.offline')
    await page.keyboard.type('Typed. ')
    await saved(page)
    const held = await using(studio.store, store => store.items({ annotator: 'ada' }))
    expect(held.items.map(({ draft }) => draft)).toEqual(['Typed. Reply 0: it were sent.'])
    await studio.remove()
  })

  it('after a decision that was stored: the next item comes when the connection is back', async () => {
    const studio = await startStudio(items(2))
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await failNext(page, 'claim')
    await page.keyboard.press('Alt+n')
    await page.waitForSelector('.sync.offline')
    await showing(page, 'Reply 1')
    await saved(page)
    expect(await page.locator('article[aria-busy=true]').count()).toBe(0)
    expect(await using(studio.store, store => store.counts())).toMatchObject({ claimed: 1, discarded: 1 })
    await studio.remove()
  })
})
