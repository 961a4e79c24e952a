import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TinyFolders, tinyFolders } from '../../emend/src/server/tiny-model.fixture.js'
import {
  browserPath,
  command,
  editsOf,
  openWindow,
  type Studio,
  showing,
  startBrowser,
  startStudio,
} from './studio.fixture.js'

const run = async (...args: string[]) =>
  (await promisify(execFile)(process.execPath, [command, ...args], { env: { ...process.env, OMP_NUM_THREADS: '1' } }))
    .stdout

const PROMPT = 'the cat sat on the mat?\n'
const draft = (i: number) => `the dog ${i} sat there too, naïve café`

describe.skipIf(!browserPath)('rewards and training', () => {
  let browser: Browser
  let folders: TinyFolders
  let studio: Studio
  let page: Page

  beforeAll(async () => {
    folders = await tinyFolders()
    browser = await startBrowser()
    const items = Array.from({ length: 20 }, (_, i) => ({ prompt: PROMPT, response: draft(i) }))
    studio = await startStudio(items, { args: ['--reward', folders.reward] })
    page = await openWindow(await browser.newContext(), studio.url)
  })
  afterAll(async () => {
    await browser?.close()
    await studio?.remove()
    folders?.remove()
  })

  const score = async (response: string) =>
    JSON.parse(
      await run('score', '--reward', folders.reward, '--prompt', PROMPT, '--response', response, '--json'),
    ) as { tokens: { text: string; reward: number }[]; total: number }

  it('the heat has the numbers of emend score --json, of the draft and of the edited text', async () => {
    await showing(page, draft(0))
    await page.keyboard.press('End')
    await page.keyboard.type(' – and sat')
    await page.keyboard.press('Alt+h')
    await page.waitForFunction(() => document.querySelectorAll('.heat [data-total]').length === 2)
    const shown = await page.locator('.heat').evaluateAll(figures =>
      figures.map(figure => ({
        rewards: [...figure.querySelectorAll('[data-reward]')].map(token => Number(token.getAttribute('data-reward'))),
        total: Number(figure.querySelector('[data-total]')!.getAttribute('data-total')),
      })),
    )
    for (const [i, text] of [draft(0), `${draft(0)} – and sat`].entries()) {
      const { tokens, total } = await score(text)
      expect(shown[i]!.rewards).toEqual(tokens.map(({ reward }) => reward))
      expect(shown[i]!.total).toBe(total)
    }
    await page.keyboard.press('Alt+r')
  })

  it('only the end is called so: of a character in several tokens the first ones say that there is more', async () => {
    await page.keyboard.press('End')
    await page.keyboard.type(' 🙂')
    await page.waitForSelector('.heat:last-child .token:has-text("🙂")')
    const pieces = await page.locator('.heat:last-child .token').allTextContents()
    expect(pieces.slice(-6)).toEqual([' ', '…', '…', '…', '🙂', 'end'])
    expect(await page.locator('.heat:last-child td.text').allTextContents()).toEqual(pieces)
    await page.keyboard.press('Alt+h')
    await page.keyboard.press('Alt+r')
  })

  it('twenty edits made in the browser train a reward model straight from the store', async () => {
    for (let i = 0; i < 20; i++) {
      await showing(page, `dog ${i} sat`)
      await page.keyboard.press('Control+Home')
      for (let k = 0; k < 'the '.length; k++) await page.keyboard.press('ArrowRight')
      for (let k = 0; k < 'dog'.length; k++) await page.keyboard.press('Delete')
      await page.keyboard.type('cat')
      await page.keyboard.press('Control+Enter')
    }
    await page.waitForSelector('.nothing')
    const edits = await editsOf(studio.store)
    expect(edits.map(({ final }) => final)).toEqual(
      Array.from({ length: 20 }, (_, i) => `the cat ${i} sat there too, naïve café`),
    )
    const out = join(studio.folder, 'reward')
    const options = ['--edits', studio.store, '--model', folders.model, '--out', out, '--json', '--quiet']
    const { pairs } = JSON.parse(await run('reward', ...options, '--set', 'epochs=1')) as { pairs: number }
    expect(pairs).toBe(20)
    expect(existsSync(join(out, 'model', 'reward.json'))).toBe(true)
  })
})
