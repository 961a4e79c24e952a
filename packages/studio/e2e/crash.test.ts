import { expect, it } from 'vitest'
import { editsOf, startStudio } from './studio.fixture.js'

it('kill -9 in the middle of 200 submissions: every acknowledged edit is there, byte for byte', async () => {
  const finalOf = (i: number) => `Reply ${i}: it was sent – 天気 🙂 e\u0301\r\n\t${'x'.repeat(i)}`
  const studio = await startStudio(
    Array.from({ length: 200 }, (_, i) => ({ prompt: `Question ${i}`, response: `Reply ${i}: it were sent` })),
  )
  const post = async (path: string, body: object) => {
    const response = await fetch(studio.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(await response.text())
    return response.json()
  }
  const acknowledged: string[] = []
  let killed: Promise<void> | undefined
  const annotate = async (window: string) => {
    for (;;) {
      const { item } = await post('/api/claim', { window })
      if (!item) return
      const i = Number(/\d+/.exec(item.response)![0])
      await post('/api/submit', { window, item: item.id, final: finalOf(i) })
      acknowledged.push(finalOf(i))
      if (acknowledged.length === 100) killed = studio.kill('SIGKILL')
    }
  }
  await Promise.allSettled(['a', 'b', 'c', 'd'].map(annotate))
  await killed
  expect(acknowledged.length).toBeGreaterThanOrEqual(100)
  expect(acknowledged.length).toBeLessThan(200)
  const finals = (await editsOf(studio.store)).map(({ final }) => final)
  expect(new Set(finals).size).toBe(finals.length)
  expect(finals).toEqual(expect.arrayContaining(acknowledged))
  // At most what was under way in each of the four windows was stored without an answer.
  expect(finals.length - acknowledged.length).toBeLessThanOrEqual(4)
  await studio.remove()
})
