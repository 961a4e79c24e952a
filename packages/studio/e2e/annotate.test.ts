import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NewItem } from '../../emend/src/data/store/index.js'
import {
  browserPath,
  editsOf,
  openWindow,
  saved,
  showing,
  startBrowser,
  startStudio,
  typed,
  using,
} from './studio.fixture.js'

const items = (n: number) =>
  Array.from({ length: n }, (_, i) => ({
    prompt: `Question ${i}: where is my parcel?`,
    response: `Reply ${i}: it were sent on Monday.`,
    preferred: `Reply ${i}: your parcel was sent on Monday.`,
  }))

let browser: Browser
const fresh = () => browser.newContext()

/** Deletes `were` and types `was`, by keyboard, in `Reply i: it were sent`. */
async function mend(page: Page): Promise<void> {
  await page.keyboard.press('Control+Home')
  for (let i = 0; i < 'Reply 0: it '.length; i++) await page.keyboard.press('ArrowRight')
  for (let i = 0; i < 'were'.length; i++) await page.keyboard.press('Delete')
  await page.keyboard.type('was')
}

describe.skipIf(!browserPath)('editing in the browser', () => {
  beforeAll(async () => {
    browser = await startBrowser()
  })
  afterAll(() => browser?.close())

  it('goes by keyboard alone: edit, tag, submit; no edit needed; cannot be fixed; skip; undo; reset', async () => {
    const studio = await startStudio(items(5))
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await mend(page)
    expect(await page.locator('del.deleted').allTextContents()).toEqual(['were'])
    expect(await page.locator('ins.inserted').allTextContents()).toEqual(['was'])
    await page.waitForSelector('[data-ratio]:text-is("0.14")') // 2 of 14 words
    await page.keyboard.press('Alt+r')
    expect(await page.locator('ins.inserted').count()).toBe(0)
    await page.keyboard.press('Control+z')
    await page.keyboard.press('Alt+1')
    await page.keyboard.press('Alt+4')
    await page.keyboard.press('Alt+p')
    expect(await page.locator('.preferred .text').textContent()).toBe('Reply 0: your parcel was sent on Monday.')
    await page.keyboard.press('Control+Enter')

    await showing(page, 'Reply 1')
    await page.keyboard.press('Alt+n')
    await showing(page, 'Reply 2')
    await page.keyboard.press('Alt+x')
    await page.keyboard.type('it answers another question')
    await page.keyboard.press('Enter')
    await showing(page, 'Reply 3')
    await page.keyboard.press('Alt+s')
    await showing(page, 'Reply 4')
    await page.keyboard.press('Alt+u')
    await showing(page, 'Reply 3')
    await page.keyboard.press('Control+/')
    expect(await page.locator('dialog').textContent()).toContain('Submit the edit')
    await page.keyboard.press('Escape')

    const [edit, ...rest] = await editsOf(studio.store)
    expect(rest).toEqual([])
    expect(edit).toMatchObject({
      draft: 'Reply 0: it were sent on Monday.',
      final: 'Reply 0: it was sent on Monday.',
      reasons: ['wrong fact', 'tone'],
      by: { kind: 'person', name: 'ada' },
    })
    expect(edit!.seconds).toBeGreaterThan(0)
    const counts = await using(studio.store, store => store.counts())
    expect(counts).toEqual({ pending: 1, claimed: 1, done: 1, discarded: 2, skipped: 0 })
    const discarded = await using(studio.store, store => store.items({ status: 'discarded' }))
    expect(discarded.items.map(({ why, reason }) => [why, reason])).toEqual([
      ['no-edit-needed', undefined],
      ['cannot-be-fixed', 'it answers another question'],
    ])
    await studio.remove()
  })

  it('finds the text again after a reload in mid-edit, on the same item', async () => {
    const studio = await startStudio(items(3))
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await page.keyboard.press('Control+End')
    await page.keyboard.type(' Half a sent')
    await page.reload()
    await showing(page, 'Reply 0')
    expect(await typed(page)).toBe('Reply 0: it were sent on Monday. Half a sent')
    await saved(page)
    const { items: held } = await using(studio.store, store => store.items({ status: 'claimed', annotator: 'ada' }))
    expect(held.map(({ draft }) => draft)).toEqual(['Reply 0: it were sent on Monday. Half a sent'])
    await studio.remove()
  })

  it('finds the text again in a new window after a crash', async () => {
    const studio = await startStudio(items(3))
    const context = await fresh()
    const page = await openWindow(context, studio.url)
    await showing(page, 'Reply 0')
    await page.keyboard.type('Typed just before. ')
    await page.close()
    const again = await openWindow(context, studio.url)
    await showing(again, 'Reply 0')
    expect(await typed(again)).toBe('Typed just before. Reply 0: it were sent on Monday.')
    await studio.remove()
  })

  it('keeps text and decision without a connection, says so, and sends them by itself', async () => {
    const studio = await startStudio(items(3))
    const context = await fresh()
    const page = await openWindow(context, studio.url)
    await showing(page, 'Reply 0')
    await context.setOffline(true)
    await page.keyboard.press('Control+End')
    await page.keyboard.type(' Sorry!')
    await page.waitForSelector('.sync.offline')
    expect(await page.locator('.sync').textContent()).toContain('kept here')
    await context.setOffline(false)
    await saved(page)

    await context.setOffline(true)
    await page.keyboard.type('!')
    await page.keyboard.press('Control+Enter')
    await page.waitForSelector('article[aria-busy=true]')
    expect(await editsOf(studio.store)).toEqual([])
    await context.setOffline(false)
    await showing(page, 'Reply 1')
    expect((await editsOf(studio.store)).map(({ final }) => final)).toEqual([
      'Reply 0: it were sent on Monday. Sorry!!',
    ])
    await studio.remove()
  })

  it('sends after a restart of the studio what was decided while it was away, even from a reloaded page', async () => {
    const studio = await startStudio(items(3))
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await page.keyboard.type('Well. ')
    await saved(page)
    await studio.kill('SIGKILL')
    await page.keyboard.press('Control+Enter')
    await page.waitForSelector('.sync.offline')
    const port = Number(new URL(studio.url).port)
    const again = await startStudio([], { folder: studio.folder, port })
    await page.reload()
    await showing(page, 'Reply 1')
    expect((await editsOf(studio.store)).map(({ final }) => final)).toEqual(['Well. Reply 0: it were sent on Monday.'])
    await again.remove()
  })

  it('never gives one item to two windows, of one browser or of two', async () => {
    const studio = await startStudio(items(12))
    const one = await fresh()
    const two = await fresh()
    const windows = await Promise.all([one, one, one, two, two, two].map(context => openWindow(context, studio.url)))
    const texts = await Promise.all(windows.map(typed))
    expect(new Set(texts).size).toBe(6)
    for (const window of windows) await window.keyboard.press('Alt+n')
    await Promise.all(
      windows.map((window, i) =>
        window.waitForFunction(
          before => !document.querySelector('.cm-content')?.textContent?.includes(before),
          texts[i]!,
        ),
      ),
    )
    const next = await Promise.all(windows.map(typed))
    expect(new Set([...texts, ...next]).size).toBe(12)
    await studio.remove()
  })

  it('goes to an item of the list to revise it: the new edit supersedes the old', async () => {
    const studio = await startStudio(items(2))
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await page.keyboard.type('First ')
    await saved(page)
    await page.keyboard.type('one. ')
    await page.keyboard.press('Alt+2')
    await page.keyboard.press('Control+Enter')
    await showing(page, 'Reply 1')
    await page.click('[data-status=done]')
    await page.click('.queue li button:has-text("Reply 0")')
    await showing(page, 'First')
    const tags = () => page.locator('.tags [aria-pressed=true]').allTextContents()
    expect(await tags()).toEqual([expect.stringContaining('made up')])
    expect(await typed(page)).toBe('First one. Reply 0: it were sent on Monday.')
    await page.keyboard.type('Second. ')
    await page.keyboard.press('Alt+4')
    await page.keyboard.press('Control+Enter')
    await showing(page, 'Reply 1')
    expect((await editsOf(studio.store)).map(({ final, reasons }) => [final, reasons])).toEqual([
      ['Second. First one. Reply 0: it were sent on Monday.', ['made up', 'tone']],
    ])
    await page.keyboard.press('Alt+u')
    await showing(page, 'Second.')
    expect(await tags()).toEqual(['made up', 'tone'].map(tag => expect.stringContaining(tag)))
    await page.keyboard.press('Alt+u')
    await expect.poll(() => typed(page)).toBe('First one. Reply 0: it were sent on Monday.')
    expect(await tags()).toEqual([expect.stringContaining('made up')])
    await studio.remove()
  })

  it('lets an input method compose beside red lines, and draws them when it is done', async () => {
    const studio = await startStudio([{ prompt: 'p', response: '今日は雨です。' }, ...items(1)])
    const context = await fresh()
    const page = await openWindow(context, studio.url)
    await showing(page, '今日')
    await page.keyboard.press('Control+Home')
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Delete')
    const client = await context.newCDPSession(page)
    for (const text of ['h', 'は', 'はr', 'はれ']) {
      await client.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length })
      expect(await typed(page)).toBe(`今日は${text}です。`)
    }
    await client.send('Input.insertText', { text: '晴れ' })
    await page.waitForSelector('ins.inserted:text-is("晴れ")')
    expect(await page.locator('del.deleted').allTextContents()).toEqual(['雨'])
    await page.keyboard.press('Control+Enter')
    await showing(page, 'Reply 0')
    expect((await editsOf(studio.store)).map(({ final }) => final)).toEqual(['今日は晴れです。'])
    await studio.remove()
  })

  it('in a low window a long prompt shows its end, which the response answers, and the keys their beginning', async () => {
    const turns = Array.from({ length: 12 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: `Turn ${i}.` }))
    const lines = Array.from({ length: 40 }, (_, i) => `Line ${i}.`).join('\n')
    const studio = await startStudio([
      { prompt: lines, response: 'An answer.' },
      { prompt: [...turns, { role: 'user', content: 'Last.' }] as NewItem['prompt'], response: 'Another answer.' },
    ])
    const page = await openWindow(await browser.newContext({ viewport: { width: 390, height: 560 } }), studio.url)
    const shown = () =>
      page.locator('.prompt .scroll').evaluate(box => {
        const last = [...box.querySelectorAll('.text')].at(-1)!
        return last.getBoundingClientRect().bottom <= box.getBoundingClientRect().bottom + 1
      })
    await showing(page, 'An answer.')
    expect(await shown()).toBe(true)
    await page.keyboard.press('Alt+s')
    await showing(page, 'Another answer.')
    expect(await shown()).toBe(true)
    // The prompt leaves room for what is edited.
    expect(await page.locator('.prompt').evaluate(box => box.getBoundingClientRect().height)).toBeLessThan(280)
    await page.keyboard.press('Control+/')
    expect(await page.locator('dialog').evaluate(dialog => dialog.scrollTop)).toBe(0)
    await studio.remove()
  })

  it('has its keys where there is nothing to edit, and beside the reward model', async () => {
    const studio = await startStudio(items(1))
    const page = await openWindow(await fresh(), studio.url)
    await showing(page, 'Reply 0')
    await page.keyboard.press('Alt+l')
    await page.waitForSelector('.look')
    await page.keyboard.press('Control+/')
    await page.waitForSelector('dialog[open]')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Alt+l')
    await showing(page, 'Reply 0')
    await page.keyboard.press('Alt+n')
    await page.waitForSelector('.nothing')
    await page.keyboard.press('?')
    await page.waitForSelector('dialog[open]')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Alt+l')
    await page.waitForSelector('.look')
    await page.keyboard.press('Alt+l')
    await page.waitForSelector('.nothing')
    await page.keyboard.press('Alt+u')
    await showing(page, 'Reply 0')
    await studio.remove()
  })
})
