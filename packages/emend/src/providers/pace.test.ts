import { expect, it } from 'vitest'
import { Pace } from './pace.js'
import { costOf, mostTokens } from './price.js'

it('spaces requests and tokens evenly', () => {
  let now = 1000
  const pace = new Pace({ requestsPerMinute: 60, tokensPerMinute: 6000, now: () => now })
  expect(pace.take(1)).toBe(0)
  // A second a request; 6,000 tokens a minute are 10 ms a token: 500 tokens take five seconds.
  expect(pace.take(500)).toBe(1000)
  expect(pace.take(1)).toBe(6000)
  now = 60_000
  expect(pace.take(1)).toBe(0)
  pace.hold(2500)
  expect(pace.take(1)).toBe(2500)
})

it('without limits nothing waits', () => {
  const pace = new Pace({ now: () => 5 })
  expect([pace.take(1e9), pace.take(1e9)]).toEqual([0, 0])
})

it('a price for a million tokens is a thousand billionths a token', () => {
  expect(costOf({ input: 1000, output: 10 }, { input: 0.15, output: 0.6 })).toBe(156_000)
  expect(costOf({ input: 1, output: 0 }, { input: 0.0001, output: 0 })).toBe(1)
  expect(costOf({ input: 1e6, output: 1e6 }, undefined)).toBe(0)
})

it('a chat has at most as many tokens as bytes, and what a template adds', () => {
  expect(mostTokens([{ role: 'user', content: 'naïve' }], 'so')).toBe(6 + 2 + 16 + 64)
})
