import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  browserPath,
  editsOf,
  openWindow,
  type Studio,
  showing,
  startBrowser,
  startStudio,
  typed,
} from './studio.fixture.js'

const SCRIPT =
  '<script>window.hit = 1</script><img src=x onerror="window.hit = 2"><a href="javascript:window.hit = 3">go</a>'
const BIDI = 'pay \u202Etxt.exe\u202C now\u0007 \u2066x\u2069 \u200Bzero'
const ARABIC = 'تم إرسال الطرد يوم الاثنين. Order 42 شكرًا!'
const MIXED = '小包は月曜日に発送されました。👩‍👩‍👧 e\u0301te\u0301 \r\n नमस्ते\u00a0दुनिया'
const LONG = 'word '.repeat(2_000_000)

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

describe.skipIf(!browserPath)('what strangers wrote', () => {
  let browser: Browser
  let studio: Studio
  let page: Page
  const requested: string[] = []
  const complaints: string[] = []

  beforeAll(async () => {
    browser = await startBrowser()
    studio = await startStudio([
      { prompt: SCRIPT, response: SCRIPT, preferred: SCRIPT, source: SCRIPT },
      { prompt: [{ role: 'user', content: BIDI }], response: BIDI },
      { prompt: ARABIC, response: ARABIC },
      { prompt: MIXED, response: MIXED },
      { prompt: 'short', response: LONG },
    ])
    page = await (await browser.newContext()).newPage()
    page.on('request', request => requested.push(request.url()))
    page.on('console', message => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', error => complaints.push(error.message))
    await page.goto(studio.url)
    await page.waitForSelector('.cm-content')
  })
  afterAll(async () => {
    await browser?.close()
    await studio?.remove()
  })
  const choose = async (starts: string) => {
    await page.click('[data-status=pending]')
    await page.click(`.queue li button:has-text("${starts}")`)
  }

  it('is text, scripts and handlers too, in prompt, editor, list and red lines', async () => {
    await showing(page, '<script>')
    expect(await typed(page)).toBe(SCRIPT)
    expect(await page.locator('.prompt .text').textContent()).toBe(SCRIPT)
    await page.keyboard.press('Alt+p')
    expect(await page.locator('.preferred .text').textContent()).toBe(SCRIPT)
    await page.keyboard.press('Control+a')
    await page.keyboard.press('Delete')
    expect(await page.locator('del.deleted').textContent()).toBe(SCRIPT)
    await page.keyboard.press('Alt+r')
    expect(await page.evaluate(() => (window as { hit?: number }).hit)).toBeUndefined()
  })

  it('cannot hide or reorder: overrides and control characters are marks', async () => {
    await choose('pay')
    await showing(page, 'zero')
    const marks = await page.locator('.cm-content .mark').allTextContents()
    expect(marks).toEqual(['U+202E', 'U+202C', 'U+0007', 'U+2066', 'U+2069', 'U+200B'])
    expect(await page.locator('.prompt .mark').allTextContents()).toEqual(marks)
    expect(await page.locator('.prompt .text').textContent()).not.toMatch(/[\u202A-\u202E\u2066-\u2069]/u)
  })

  it('is edited in any direction, and what was not touched stays as it was, byte for byte', async () => {
    await choose('تم')
    await showing(page, 'Order 42')
    expect(await page.evaluate(() => getComputedStyle(document.querySelector('.cm-line')!).unicodeBidi)).toBe(
      'plaintext',
    )
    const line = await page.locator('.cm-line').boundingBox()
    const [first] = await page.evaluate(() => {
      const range = document.createRange()
      range.setStart(document.querySelector('.cm-line')!.firstChild!, 0)
      range.setEnd(document.querySelector('.cm-line')!.firstChild!, 1)
      return [range.getBoundingClientRect().x]
    })
    // The first Arabic letter stands at the right.
    expect(first).toBeGreaterThan(line!.x + line!.width / 2)
    await page.keyboard.press('Control+End')
    await page.keyboard.insertText(' مع السلامة')
    await page.keyboard.press('Control+Enter')
    await page.waitForFunction(() => !document.querySelector('.cm-content')?.textContent?.includes('Order 42'))
    await choose('小包')
    await showing(page, '小包')
    await page.keyboard.press('Control+Home')
    await page.keyboard.insertText('😀')
    await page.keyboard.press('Control+Enter')
    await page.waitForFunction(() => !document.querySelector('.cm-content')?.textContent?.includes('😀'))
    const finals = (await editsOf(studio.store)).map(({ final }) => final)
    expect(finals).toEqual([`${ARABIC} مع السلامة`, `😀${MIXED}`])
  })

  it('may be 10 MB long: its beginning is shown, read-only, with a notice', async () => {
    const from = Date.now()
    await choose('word word')
    await page.waitForSelector('text=are too many to edit here')
    expect(Date.now() - from).toBeLessThan(5000)
    await page.keyboard.type('x')
    expect(await page.locator('ins, del').count()).toBe(0)
    expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
    await page.keyboard.press('Alt+s')
    await page.waitForFunction(() => !document.body.textContent?.includes('too many to edit'))
  })

  it('makes the page ask nobody else for anything, and break no rule of its policy', () => {
    expect(requested.length).toBeGreaterThan(5)
    expect(requested.filter(url => new URL(url).origin !== studio.url)).toEqual([])
    expect(complaints).toEqual([])
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`is shown without a serious violation of accessibility, ${colorScheme}`, async () => {
      const window = await openWindow(await browser.newContext({ colorScheme, bypassCSP: true }), studio.url)
      await window.keyboard.press('End')
      await window.keyboard.type(' more words')
      await window.keyboard.press('Control+Home')
      await window.keyboard.press('Control+Delete')
      const check = async () => {
        await window.evaluate(axe)
        const { violations } = await window.evaluate(() =>
          (globalThis as unknown as { axe: typeof import('axe-core') }).axe.run(),
        )
        return violations
          .filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .map(({ id, nodes }) => [id, nodes.map(node => node.html)])
      }
      expect(await check()).toEqual([])
      await window.keyboard.press('Control+/')
      expect(await check()).toEqual([])
      await window.keyboard.press('Escape')
      await window.keyboard.press('Alt+x')
      expect(await check()).toEqual([])
      await window.keyboard.press('Escape')
      await window.keyboard.press('Alt+l')
      expect(await check()).toEqual([])
      await window.context().close()
    })
  }
})
