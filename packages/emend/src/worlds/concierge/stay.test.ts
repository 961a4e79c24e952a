import { describe, expect, it } from 'vitest'
import { DEFAULTS } from './options.js'
import { drawStays, SPLITS, splitOf } from './stay.js'
import { TOPIC_NAMES, TOPICS } from './vocabulary.js'

describe('stays', () => {
  it('are the same for the same arguments, and a longer draw begins like a shorter one', () => {
    expect(drawStays('pairs', 3, 20, DEFAULTS)).toEqual(drawStays('pairs', 3, 40, DEFAULTS).slice(0, 20))
    expect(drawStays('pairs', 4, 20, DEFAULTS)).not.toEqual(drawStays('pairs', 3, 20, DEFAULTS))
  })

  it('do not depend on the seed where they measure', () => {
    for (const split of ['validation', 'test'] as const) {
      expect(drawStays(split, 1, 30, DEFAULTS)).toEqual(drawStays(split, 2, 30, DEFAULTS))
    }
  })

  it('of an unknown split are refused', () => {
    expect(() => drawStays('train' as 'sft', 1, 1, DEFAULTS)).toThrow(
      'split: got train, expected one of sft, pairs, ppo, calibration, validation, test',
    )
  })

  it('share no prompt between splits', () => {
    const owner = new Map<string, string>()
    for (const split of SPLITS) {
      for (const { prompt } of drawStays(split, 5, 800, DEFAULTS)) {
        expect(splitOf(prompt)).toBe(split)
        expect(owner.get(prompt) ?? split).toBe(split)
        owner.set(prompt, split)
      }
    }
    // hardly any repeats within a split either
    expect(owner.size).toBeGreaterThan(4_790)
  })

  it('show every fact in the prompt and ask only about the table', () => {
    for (const stay of drawStays('sft', 1, 200, DEFAULTS)) {
      const facts = Object.entries(stay.facts)
      expect(facts).toHaveLength(4)
      for (const [topic, value] of [['guest', stay.guest], ['card', stay.card], ...facts]) {
        expect(stay.prompt).toContain(` ${topic}: ${value}\n`)
      }
      expect(new Set(stay.asked).size).toBe(stay.asked.length)
      expect([2, 3]).toContain(stay.asked.length)
      const question = stay.prompt.split('### Question\n')[1]!.split('\n')[0]!
      // the words of the asked topics, in that order, and of no other
      const found = TOPIC_NAMES.filter(topic => new RegExp(`\\b${topic}\\b`).test(question))
      expect(found.sort((a, b) => question.indexOf(` ${a}`) - question.indexOf(` ${b}`))).toEqual(stay.asked)
    }
  })

  it('can be recognised: a question names its topic, an answer names it before the value', () => {
    for (const topic of TOPIC_NAMES) {
      for (const question of TOPICS[topic].questions) expect(question).toContain(` ${topic}`)
      for (const answer of TOPICS[topic].answers) {
        expect(answer.indexOf(topic)).toBeGreaterThan(0)
        expect(answer.indexOf(topic)).toBeLessThan(answer.indexOf('{v}'))
      }
    }
  })
})
