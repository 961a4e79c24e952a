/** A world's oracle as a judge: it knows what is wrong with a response. */

import { promptText } from '../../annotators/editor-prompt.js'
import { readStay } from '../../worlds/concierge/read-stay.js'
import { concierge } from '../../worlds/index.js'
import type { Judge } from './judge.js'

/** Every world whose oracle can judge, by name. */
export const ORACLES: Readonly<Record<string, Judge>> = { concierge: conciergeOracle() }

/** Fewer weighted defects are better, equally many a draw. Both responses count as ended. What is no prompt of the world has no judgement. */
function conciergeOracle(): Judge {
  return {
    name: `oracle:${concierge.name}`,
    async compare({ prompt, a, b }) {
      const stay = readStay(promptText(prompt))
      if (!stay) return { preference: null, raw: `the instruction is not one of ${concierge.name}` }
      const [da, db] = [a, b].map(text => concierge.judge(stay, text, true).weighted) as [number, number]
      return { preference: da < db ? 1 : da > db ? 2 : 1.5, raw: JSON.stringify({ a: da, b: db }) }
    },
  }
}
