/** How strongly a token's reward is coloured: one rule for the page and for the terminal. */

import type { TokenReward } from './report-data.js'

/** Reward at which colour is full: the 95th percentile of |reward|, so that one outlier does not bleach the rest. */
export function fullColour(tokens: readonly TokenReward[]): number {
  const sizes = tokens.map(({ reward }) => Math.abs(reward)).sort((a, b) => a - b)
  return sizes[Math.ceil(0.95 * sizes.length) - 1] || sizes.at(-1) || 1
}

/** −1 (fully red) … 0 … 1 (fully green). */
export function heat(reward: number, full: number): number {
  return Number.isFinite(reward) ? Math.max(-1, Math.min(1, reward / full)) : 0
}
