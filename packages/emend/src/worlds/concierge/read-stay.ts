/** A prompt of Concierge read back into the stay it was made of. */
import type { Stay } from './stay.js'
import { HEADINGS, TOPIC_NAMES, TOPICS, type Topic } from './vocabulary.js'

/** The stay that a prompt tells; undefined where the text is no prompt of this world. */
export function readStay(prompt: string): Stay | undefined {
  const [table, rest] = prompt.split(`${HEADINGS.question}\n`)
  const [question, end] = (rest ?? '').split(`\n${HEADINGS.response}\n`)
  if (!table?.startsWith(`${HEADINGS.stay}\n`) || !question?.endsWith('?') || end !== '') return undefined
  const rows = new Map(
    [...table.matchAll(/^ (\w+): (.+)$/gm)].map(([, name, value]) => [name as string, value as string]),
  )
  const { guest, card, ...facts } = Object.fromEntries(rows)
  const topics = TOPIC_NAMES as readonly string[]
  if (!guest || !card || !Object.keys(facts).every(name => topics.includes(name))) return undefined
  const text = question[0]!.toLowerCase() + question.slice(1)
  const asked = (Object.keys(facts) as Topic[])
    .map(topic => ({ topic, at: Math.max(...TOPICS[topic].questions.map(fragment => text.indexOf(fragment))) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)
    .map(({ topic }) => topic)
  return asked.length === 0 ? undefined : { guest, card, facts, asked, prompt }
}
