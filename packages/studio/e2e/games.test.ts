/** The page of games that `emend evaluate --report` writes, as a browser shows it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Annotation } from '../../emend/src/evaluation/annotations.js'
import { renderGames } from '../../emend/src/evaluation/reports/index.js'
import { browserPath, startBrowser } from './studio.fixture.js'

const ATTACK = '</script><img src=x onerror="window.hit = 1"><script>window.hit = 2</script> \u202Etxt.exe'
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Game i: every third won, then lost, then drawn; the last two have no judgement. The model's text is i characters long. */
const games = Array.from({ length: 47 }, (_, i): Annotation => {
  const preference = i >= 45 ? null : [1.25, 2, 1.5][i % 3]!
  return {
    ...{ instruction: `question ${i}`, output_1: 'a reference', output_2: 'm'.repeat(i), preference },
    ...{ generator_1: 'ref', generator_2: 'new', dataset: i < 10 ? 'first' : 'second', order: '2, 1' },
    ...(i === 7 && { instruction: ATTACK, output_1: ATTACK, raw_completion: ATTACK, dataset: ATTACK }),
  }
})
const against = games.map(game => ({ ...game, preference: 1, generator_2: 'old', output_2: 'old text' }))

describe.skipIf(!browserPath)('the page of games', () => {
  const folder = mkdtempSync(join(tmpdir(), 'emend-games-'))
  let browser: Browser
  let page: Page
  const wrong: string[] = []

  beforeAll(async () => {
    const path = join(folder, 'games.html')
    const facts = [{ label: 'win rate', value: ATTACK }]
    writeFileSync(
      path,
      renderGames({ title: 'new against ref', createdAt: 'today', facts, annotations: games, against }),
    )
    browser = await startBrowser()
    page = await browser.newPage()
    page.on('pageerror', error => wrong.push(String(error)))
    page.on('request', request => request.url().startsWith('file:') || wrong.push(request.url()))
    page.on('console', message => message.type() === 'error' && wrong.push(message.text()))
    await page.goto(pathToFileURL(path).href)
  })
  afterAll(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true })
  })

  const count = () => page.textContent('#games-count')
  const numbers = () => page.locator('article > header b').allTextContents()

  it('shows twenty games at a time, with all three texts', async () => {
    expect(await count()).toBe('47 of 47')
    expect(await numbers()).toEqual(Array.from({ length: 20 }, (_, i) => `#${i + 1}`))
    const second = page.locator('article').nth(1)
    expect(await second.locator('.side').allTextContents()).toEqual([
      'ref11 charactersa reference',
      'new1 characterswon (2)m',
      'old8 characterslost (1)old text',
    ])
    await page.click('#games-more')
    await page.click('#games-more')
    expect((await numbers()).length).toBe(47)
    expect(await page.isHidden('#games-more')).toBe(true)
  })

  it('filters by outcome of either model, by set and by words, and sorts', async () => {
    for (const [outcome, n] of [
      ['won', 15],
      ['lost', 15],
      ['draw', 15],
      ['none', 2],
    ] as const) {
      await page.selectOption('#games-outcome', outcome)
      expect(await count()).toBe(`${n} of 47`)
    }
    await page.selectOption('#games-outcome', '')
    await page.selectOption('#games-other', 'won')
    expect(await count()).toBe('0 of 47')
    await page.selectOption('#games-other', '')
    await page.selectOption('#games-dataset', 'first')
    expect(await count()).toBe('9 of 47')
    await page.selectOption('#games-dataset', '')
    await page.fill('#games-search', 'QUESTION 4')
    expect(await numbers()).toEqual(['#5', ...[41, 42, 43, 44, 45, 46, 47].map(n => `#${n}`)])
    await page.fill('#games-search', '')
    await page.selectOption('#games-sort', 'length down')
    expect((await numbers()).slice(0, 2)).toEqual(['#47', '#46'])
    await page.selectOption('#games-sort', 'difference down')
    expect((await numbers())[0]).toBe('#2')
    await page.selectOption('#games-sort', 'file up')
  })

  it('does nothing that a text says, and asks for nothing', async () => {
    await page.fill('#games-search', 'txt.exe')
    await page.click('summary')
    const card = page.locator('article')
    expect(await card.count()).toBe(1)
    expect(await card.locator('.text.prompt').textContent()).toBe(ATTACK.replace('\u202E', '⟨U+202E⟩'))
    expect(await page.evaluate('window.hit')).toBeUndefined()
    expect(await page.locator('img').count()).toBe(0)
    expect(wrong).toEqual([])
  })

  it('has no fault that axe finds, nor a wider page than the window', async () => {
    // The page's own policy forbids scripts of others.
    const free = await browser.newContext({ bypassCSP: true, viewport: { width: 390, height: 800 } })
    const narrow = await free.newPage()
    await narrow.goto(page.url())
    await narrow.evaluate(axe)
    const { violations } = await narrow.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
      'axe.run()',
    )
    expect(violations.map(({ id, nodes }) => [id, nodes.slice(0, 2).map(node => node.html)])).toEqual([])
    expect(await narrow.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390)
    await free.close()
  })
})
