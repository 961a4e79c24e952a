import { describe, expect, it } from 'vitest'
import { Answer, type ChoiceEvent } from './answer.js'
import { unavailable } from './api-error.js'

const event = (index: number, text: string, more: Partial<ChoiceEvent> = {}): ChoiceEvent => ({ index, text, ...more })
const texts = (events: readonly ChoiceEvent[] | undefined) => events?.map(({ text }) => text)

/** An answer that notes how it was stopped. */
function answering(choices: number, limit = 100) {
  const stops: boolean[] = []
  return { answer: new Answer(choices, limit, lagging => stops.push(lagging)), stops }
}

describe('an answer', () => {
  it('gives what waits at once, then what comes, and ends with its last choice', async () => {
    const { answer, stops } = answering(2)
    answer.push(event(0, 'a'))
    answer.push(event(1, 'b', { finish: 'stop' }))
    expect(texts(await answer.next())).toEqual(['a', 'b'])
    const later = answer.next()
    answer.push(event(0, 'c', { finish: 'length' }))
    expect(texts(await later)).toEqual(['c'])
    expect(await answer.next()).toBeUndefined()
    answer.push(event(0, 'd'))
    expect(await answer.next()).toBeUndefined()
    expect(stops).toEqual([])
  })

  it('gives much in parts', async () => {
    const { answer } = answering(1, 1000)
    for (let i = 0; i < 300; i++) answer.push(event(0, String(i)))
    expect(await answer.next()).toHaveLength(256)
    expect((await answer.next())![0]!.text).toBe('256')
  })

  it('is given up where more waits than its limit, likely tokens counted', async () => {
    const token = { id: 1, start: 0, logprob: -1, top: [[1, -1] as const, [2, -2] as const] }
    const { answer, stops } = answering(1, 8)
    answer.push(event(0, 'a', { tokens: [token] })) // 1 + 3
    answer.push(event(0, 'b', { tokens: [token] }))
    expect(stops).toEqual([])
    answer.push(event(0, 'c'))
    expect(stops).toEqual([true])
    expect(await answer.next()).toBeUndefined()
  })

  it('what was taken does not count', async () => {
    const { answer, stops } = answering(1, 2)
    for (let i = 0; i < 10; i++) {
      answer.push(event(0, 'a'))
      await answer.next()
    }
    expect(stops).toEqual([])
  })

  it('is stopped once when its client leaves, and not after its end', async () => {
    const left = answering(1)
    left.answer.cancel()
    left.answer.cancel()
    expect(left.stops).toEqual([false])
    expect(await left.answer.next()).toBeUndefined()
    const ended = answering(1)
    ended.answer.push(event(0, '', { finish: 'stop' }))
    ended.answer.cancel()
    expect(ended.stops).toEqual([])
  })

  it('fails whoever waits for it', async () => {
    const { answer } = answering(1)
    const waiting = answer.next()
    answer.fail(unavailable('gone'))
    await expect(waiting).rejects.toThrow('gone')
    await expect(answer.next()).rejects.toThrow('gone')
  })
})
