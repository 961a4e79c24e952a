import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Store } from '../data/store/index.js'
import { Caller } from '../providers/caller.js'
import { ask } from '../providers/chat-model.js'
import { scriptedModel } from '../providers/scripted.js'
import { editorMessages } from './editor-prompt.js'
import { forecast } from './forecast.js'

it('at worst an item is asked again as often as it may be, also where its first answer is on disk', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'emend-forecast-'))
  try {
    await using store = await Store.open(join(folder, 'emend.db'))
    await store.addItems([{ prompt: 'When?', response: 'We opens at nine.' }])
    const caller = new Caller(scriptedModel('s', () => 'no edit at all'))
    const how = { maxTokens: 10, temperature: 0, prices: { input: 2, output: 3 } }
    const first = editorMessages({ prompt: 'When?', draft: 'We opens at nine.' })
    // A byte is a token at most, a turn has 16 more, a chat 64.
    const most = first.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0) + 2 * 16 + 64
    const [once, again] = [2 * most + 3 * 10, 2 * (most + 4 * 10 + 400) + 3 * 10]
    const worst = async (asks: number) => (await forecast(store, caller, { ...how, asks })).worst_cost! * 1e6
    expect(await worst(3)).toBeCloseTo(once + 2 * again, 6)
    await ask(caller, first, { maxTokens: 10, temperature: 0 })
    expect(await worst(3)).toBeCloseTo(2 * again, 6)
    expect(await worst(1)).toBe(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
