/** In which order a judge sees two responses: drawn by a hash of the instruction, or both. */
import { createHash } from 'node:crypto'
import { promptText } from '../../annotators/editor-prompt.js'
import type { Preference } from '../winrate.js'
import type { Game, Judge } from './judge.js'

/** Whether a and b change places: a fair coin that seed and instruction decide. */
export function isSwapped({ prompt }: Pick<Game, 'prompt'>, seed: number): boolean {
  return (
    (createHash('sha256')
      .update(`${seed}\n${promptText(prompt)}`)
      .digest()[0]! &
      1) ===
    1
  )
}

const mirrored = (preference: Preference): Preference =>
  preference === null || preference === 0 ? preference : 3 - preference
const swapped = ({ prompt, a, b }: Game): Game => ({ prompt, a: b, b: a })

/** Shows each pair in the order of the coin, so that a judge who likes the first place favours nobody. */
export function seededOrder(judge: Judge, seed = 0): Judge {
  return {
    name: judge.name,
    async compare(game) {
      if (!isSwapped(game, seed)) return judge.compare(game)
      const { preference, ...rest } = await judge.compare(swapped(game))
      return { preference: mirrored(preference), ...rest }
    },
  }
}

/** Asks in both orders and takes the mean, so that a judge who contradicts itself says draw; one null makes it null. */
export function bothOrders(judge: Judge): Judge {
  return {
    name: `${judge.name}/both-orders`,
    async compare(game) {
      const [there, back] = await Promise.all([judge.compare(game), judge.compare(swapped(game))])
      const other = mirrored(back.preference)
      const mean = there.preference === null || other === null ? null : (there.preference + other) / 2
      const raw = [there.raw, back.raw].filter(text => text !== undefined).join('\n---\n')
      return { preference: mean, ...(raw && { raw }) }
    },
  }
}
