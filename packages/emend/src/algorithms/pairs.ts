/** What trains on comparisons: two responses to one prompt, as ids. */
import type { TokenLabels } from '@emend/edits'

export interface Response {
  /** EOS, if produced, is the last id. */
  readonly ids: Int32Array
  readonly ended: boolean
}

export interface Pair {
  readonly id: string
  readonly prompt: Int32Array
  readonly chosen: Response
  readonly rejected: Response
  readonly source: 'edit' | 'preference'
  /** draft = rejected, final = chosen; for edits only. */
  readonly labels?: TokenLabels
}

/** Tokens of the longer side, prompt included: what padding is measured by. */
export const pairLength = ({ prompt, chosen, rejected }: Pair): number =>
  prompt.length + Math.max(chosen.ids.length, rejected.ids.length)

/** A pair of two sides of a length, whatever they say. */
export function blankPair(length: number): Pair {
  const side = { ids: new Int32Array(length - 1), ended: false }
  return { id: 'trial', prompt: new Int32Array(1), chosen: side, rejected: side, source: 'preference' }
}

/** Prompts and responses of a batch of pairs: all chosen first, then all rejected. */
export function bothSides(pairs: readonly Pair[]): { prompts: Int32Array[]; responses: Int32Array[] } {
  const prompts = pairs.map(pair => pair.prompt)
  return {
    prompts: [...prompts, ...prompts],
    responses: [...pairs.map(pair => pair.chosen.ids), ...pairs.map(pair => pair.rejected.ids)],
  }
}
