/** In which order a judge sees two responses: drawn by a hash of the instruction, or both. */
import { createHash } from 'node:crypto'
import { promptText } from '../../annotators/editor-prompt.js'
import type { Preference } from '../winrate.js'
import type { Game, Judge, Verdict } from './judge.js'

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

/** What a judge says that sees the responses in the other order, told in terms of a and b. */
async function askSwapped(judge: Judge, { prompt, a, b }: Game): Promise<Verdict> {
  const { preference: seen, raw } = await judge.compare({ prompt, a: b, b: a })
  const preference = mirrored(seen)
  return { preference, asked: [{ first: 'b', preference }], ...(raw !== undefined && { raw }) }
}

async function askAsGiven(judge: Judge, game: Game): Promise<Verdict> {
  const { preference, raw } = await judge.compare(game)
  return { preference, asked: [{ first: 'a', preference }], ...(raw !== undefined && { raw }) }
}

/** Shows each pair in the order of the coin, so that a judge who likes the first place favours nobody. */
export function seededOrder(judge: Judge, seed = 0): Judge {
  return {
    name: judge.name,
    compare: game => (isSwapped(game, seed) ? askSwapped(judge, game) : askAsGiven(judge, game)),
  }
}

/** Asks in both orders and takes the mean, so that a judge who contradicts itself says draw; one null makes it null. */
export function bothOrders(judge: Judge): Judge {
  return {
    name: `${judge.name}/both-orders`,
    async compare(game) {
      const asked = [askAsGiven(judge, game), askSwapped(judge, game)] as const
      // Where one fails, the other still comes to its end: it is paid.
      await Promise.allSettled(asked)
      const [there, back] = await Promise.all(asked)
      const mean =
        there.preference === null || back.preference === null ? null : (there.preference + back.preference) / 2
      const raw = [there.raw, back.raw].filter(text => text !== undefined).join('\n---\n')
      return { preference: mean, asked: [...there.asked!, ...back.asked!], ...(raw && { raw }) }
    },
  }
}
