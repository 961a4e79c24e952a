import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RunFolder } from './run-folder.js'
import { eventsOf, writeEvents } from './tensorboard.js'

describe('TensorBoard events', () => {
  it("are the bytes of TensorBoard's own writer", () => {
    const golden = readFileSync(new URL('../../goldens/tensorboard/events.base64', import.meta.url), 'utf8')
    const rows = [
      { step: 0, lr: 1e-5, 'objective/kl': 0.25 },
      { step: 300, 'loss/valeur_é': -1.5, ['a'.repeat(200)]: 3e38 },
      { step: 2 ** 40, episode: 805 },
    ]
    expect(eventsOf(rows, 1.5).toString('base64')).toBe(golden.trim())
  })

  it('follow metrics.jsonl, also when it is cut back', () => {
    const run = new RunFolder(mkdtempSync(join(tmpdir(), 'emend-events-')))
    run.metrics.append(1, { loss: 2 })
    const position = run.metrics.position()
    run.metrics.append(2, { loss: 1 })
    const path = writeEvents(run.path)
    expect(readFileSync(path)).toEqual(
      eventsOf([
        { step: 1, loss: 2 },
        { step: 2, loss: 1 },
      ]),
    )
    run.metrics.truncate(position)
    expect(readFileSync(writeEvents(run.path))).toEqual(eventsOf([{ step: 1, loss: 2 }]))
  })
})
