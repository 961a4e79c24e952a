import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserPath, openWindow, saved, showing, startBrowser, startStudio, typed, using } from './studio.fixture.js'

const items = (n: number) =>
  Array.from({ length: n }, (_, i) => ({ prompt: `Question ${i}`, response: `Reply ${i}: it were sent.` }))

let browser: Browser
const fresh = () => browser.newContext()
beforeAll(async () => {
  if (browserPath) browser = await startBrowser()
})
afterAll(() => browser?.close())

/** The next call of this kind never reaches the studio. */
const failNext = (page: Page, call: string) => page.route(`**/api/${call}`, route => route.abort(), { times: 1 })

/** Says that another person is at the page. */
async function rename(page: Page, name: string): Promise<void> {
  await page.fill('.who input', name)
  await page.keyboard.press('Tab')
}

describe.skipIf(!browserPath)('one call that fails', () => {
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

  it('while another person takes over: the name is still the one that stands there', async () => {
    const studio = await startStudio(items(2))
    const page = await openWindow(await fresh(), studio.url)
    const errors: Error[] = []
    page.on('pageerror', error => errors.push(error))
    await showing(page, 'Reply 0')
    await failNext(page, 'release')
    await rename(page, 'bob')
    await page.waitForSelector('.sync.offline')
    expect(await page.inputValue('.who input')).toBe('ada')
    await saved(page)
    await rename(page, 'bob')
    const holder = async () => (await using(studio.store, store => store.items({ status: 'claimed' }))).items
    await expect.poll(holder).toMatchObject([{ response: 'Reply 0: it were sent.', annotator: 'bob' }])
    expect(errors).toEqual([])
    await studio.remove()
  })
})

describe.skipIf(!browserPath)('an item that became someone else’s', () => {
  it('since the lease ran out: that is said, and it can be left for another one of the list, its text kept', async () => {
    const studio = await startStudio(items(3), { args: ['--lease', '2'] })
    const one = await fresh()
    const page = await openWindow(one, studio.url)
    await showing(page, 'Reply 0')
    await one.setOffline(true)
    await page.keyboard.type('Mine. ')
    await new Promise(resolve => setTimeout(resolve, 2500))
    const other = await openWindow(await fresh(), studio.url)
    await showing(other, 'Reply 0')
    await one.setOffline(false)
    await page.waitForSelector('text=someone else’s')
    expect(await typed(page)).toBe('Mine. Reply 0: it were sent.')
    await page.click('.queue li button:has-text("Reply 2")')
    await showing(page, 'Reply 2')
    const kept = await using(studio.store, async store => (await store.items({ annotator: 'ada' })).items)
    expect(kept.map(({ draft }) => draft)).toEqual(['Mine. Reply 0: it were sent.', undefined, undefined])
    await studio.remove()
  })

  it('with a decision that waited over a reload: that is said, and the next item is not taken for lost', async () => {
    const studio = await startStudio(items(2), { args: ['--lease', '2'] })
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await page.route('**/api/submit', route => route.abort())
    await page.keyboard.type('Mine. ')
    await page.keyboard.press('Control+Enter')
    await page.waitForSelector('.sync.offline')
    await rename(page, 'bob')
    await page.waitForSelector('.notice:has-text("then say who you are")')
    expect(await page.inputValue('.who input')).toBe('ada')
    await new Promise(resolve => setTimeout(resolve, 2500))
    const other = await openWindow(await fresh(), studio.url)
    await showing(other, 'Reply 0')
    await page.reload()
    await page.waitForSelector('.sync.offline')
    await page.unroute('**/api/submit')
    await showing(page, 'Reply 1')
    expect(await page.locator('.notice').allTextContents()).toEqual([
      expect.stringMatching(/^What was decided before the page was closed is not stored: .* claimed by/),
    ])
    await studio.remove()
  })

  it('is not what an undo makes of it that finds nothing to undo', async () => {
    const studio = await startStudio(items(1))
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await page.keyboard.type('Typed. ')
    await page.keyboard.press('Alt+u')
    await page.waitForSelector('.notice:has-text("There is nothing to undo.")')
    await showing(page, 'Typed. Reply 0')
    expect(await using(studio.store, store => store.counts())).toMatchObject({ pending: 0, claimed: 1 })
    await studio.remove()
  })
})
