// From a key press to the red lines in the page, in Chromium, for responses of up to 100,000 characters.
//   node benchmarks/keystroke.mjs
// Beside it the same edit compared whole, as it would be without the incremental difference. Needs `npm run build` and a Chromium.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { diffTexts } from '@emend/edits'
import { chromium } from 'playwright-core'
import { Store } from '../packages/emend/dist/data/store/index.js'
import { findBrowser } from '../scripts/browser.mjs'

const WORDS = 'the cat sat on a mat while colour faded and people walked along streets of stone toward evening'.split(
  ' ',
)
const SIZES = [1000, 5000, 20_000, 100_000]
const KEYS = 60
/** Edits that stand in the text already, one in so many characters. */
const EDIT_EVERY = 400

/** A text of words, always the same. */
function textOf(length) {
  let text = `Text of ${length}. `
  for (let seed = length; text.length < length; ) {
    seed = (seed * 48271) % 2147483647
    text += WORDS[seed % WORDS.length] + ((seed >> 8) % 12 === 0 ? '. ' : ' ')
  }
  return text.slice(0, length)
}

const edited = text => text.replace(new RegExp(`([^]{${EDIT_EVERY}}) \\w+`, 'g'), '$1 changed')
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]

const path = findBrowser()
if (!path) {
  console.error('no Chromium here; name one with EMEND_CHROMIUM')
  process.exit(1)
}
const folder = mkdtempSync(join(tmpdir(), 'emend-keystroke-'))
const file = join(folder, 'emend.db')
const store = await Store.open(file)
await store.addItems(SIZES.map(size => ({ prompt: 'Edit it.', response: textOf(size) })))
for (const { id, response } of (await store.items()).items) await store.saveDraft(id, 'ada', edited(response))
await store.close()

const command = fileURLToPath(new URL('../packages/emend/dist/cli/main.js', import.meta.url))
const flags = ['studio', '--store', file, '--annotator', 'ada', '--port', '0', '--json']
const studio = spawn(process.execPath, [command, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
const { url } = JSON.parse(await new Promise(resolve => studio.stdout.once('data', resolve)))
const browser = await chromium.launch({ executablePath: path, args: ['--no-sandbox'] })
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
await page.goto(url)

console.log('characters   edits   key → red lines, ms         key → painted, ms          whole diff, ms')
console.log('                     median    p95      max      median    p95      max      median')
for (const size of SIZES) {
  const text = textOf(size)
  await page.waitForFunction(n => document.querySelector('.cm-content')?.textContent.includes(`of ${n}.`), size)
  // Into the middle of what is shown, where the words are kept.
  await page.keyboard.press('Control+Home')
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowDown')
  await page.evaluate(() => {
    window.lines = []
    window.painted = []
    let pressed
    addEventListener('keydown', event => (pressed = event.timeStamp), { capture: true })
    new MutationObserver(() => {
      if (pressed === undefined) return
      const from = pressed
      pressed = undefined
      window.lines.push(performance.now() - from)
      // After the next frame is drawn a message comes through.
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = () => window.painted.push(performance.now() - from)
        port2.postMessage(0)
      })
    }).observe(document.querySelector('.cm-content'), { subtree: true, childList: true, characterData: true })
  })
  for (let i = 0; i < KEYS; i++) {
    await page.keyboard.press(i % 6 === 5 ? 'Space' : 'x')
    await page.waitForTimeout(40)
  }
  const [lines, painted] = await page.evaluate(() => [window.lines, window.painted])
  for (const times of [lines, painted]) times.sort((a, b) => a - b)
  const shown = times => [0.5, 0.95, 1].map(q => quantile(times, q).toFixed(1).padStart(8)).join(' ')
  const final = edited(text)
  const whole = Array.from({ length: 5 }, () => {
    const from = performance.now()
    diffTexts(text, final)
    return performance.now() - from
  }).sort((a, b) => a - b)
  const edits = diffTexts(text, final).length
  console.log(
    `${String(size).padStart(10)} ${String(edits).padStart(7)} ${shown(lines)}  ${shown(painted)}  ${quantile(whole, 0.5).toFixed(1).padStart(10)}`,
  )
  await page.keyboard.press('Alt+s')
}
await browser.close()
studio.kill()
rmSync(folder, { recursive: true, force: true })
