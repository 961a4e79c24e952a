/** A studio as people start it, in a process of its own, and a browser that looks at it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { findBrowser } from '../../../scripts/browser.mjs'
import { type NewItem, Store } from '../../emend/src/data/store/index.js'

export const command = fileURLToPath(new URL('../../emend/dist/cli/main.js', import.meta.url))

/** The browser's path; without one the tests are skipped, which is said once. */
export const browserPath: string | undefined = findBrowser()
if (!browserPath) console.log('skipped: no Chromium here; install one, or name it with EMEND_CHROMIUM')

export interface Studio {
  readonly url: string
  readonly folder: string
  readonly store: string
  readonly process: ChildProcess
  kill(signal: NodeJS.Signals): Promise<void>
  remove(): Promise<void>
}

/** Starts `emend studio` on a store of these items; with `folder` and `port` again on the same. */
export async function startStudio(
  items: readonly NewItem[],
  o: { args?: readonly string[]; folder?: string; port?: number } = {},
): Promise<Studio> {
  const folder = o.folder ?? mkdtempSync(join(tmpdir(), 'emend-studio-'))
  const store = join(folder, 'emend.db')
  if (items.length > 0) await using(store, opened => opened.addItems(items))
  const flags = ['--store', store, '--port', String(o.port ?? 0), '--annotator', 'ada', '--json']
  const child = spawn(process.execPath, [command, 'studio', ...flags, ...(o.args ?? [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // A test that fails leaves nothing running.
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  let said = ''
  child.stderr.on('data', piece => {
    said += piece
  })
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', line => resolve((JSON.parse(String(line)) as { url: string }).url))
    void exited.then(() => reject(new Error(`emend studio ended: ${said}`)))
  })
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await exited
  }
  const remove = async () => {
    await kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  return { url, folder, store, process: child, kill, remove }
}

/** Opens a store for a moment. */
export async function using<T>(path: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await Store.open(path)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Every current edit of a store. */
export const editsOf = (path: string) =>
  using(path, async store => {
    const edits = []
    for await (const edit of store.edits()) edits.push(edit)
    return edits
  })

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] })

/** A window of a browser of its own, on the page, with the text box ready. */
export async function openWindow(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  const ready = () => page.waitForSelector('.cm-content, .nothing', { timeout: 15_000 })
  // Rarely a new window of a busy Chromium is never given the page's first answer; what it shows then is told.
  await ready().catch(async () => {
    console.warn(`reloaded: ${await page.locator('body').textContent()}`)
    await page.reload()
    await ready()
  })
  return page
}

/** The text in the editor as it would be submitted: without what is struck. */
export const typed = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const lines = [...document.querySelectorAll('.cm-line')].map(line => {
      const copy = line.cloneNode(true) as HTMLElement
      for (const struck of copy.querySelectorAll('del')) struck.remove()
      return copy.textContent
    })
    return lines.join('\n')
  })

/** Waits until the server has what was typed. */
export const saved = (page: Page): Promise<unknown> => page.waitForSelector('.sync.saved')

/** Waits for the next item. */
export const showing = (page: Page, draft: string): Promise<unknown> =>
  page.waitForFunction(text => document.querySelector('.cm-content')?.textContent?.includes(text), draft)
