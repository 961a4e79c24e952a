/** Starting weights, drawn from counter-based random numbers keyed by (seed, tensor name): the same on every device. */

import { hash32, init, type nn } from '@emend/torch'
import type { DecoderConfig } from './config.js'
import { Decoder } from './decoder.js'

/** A number for a tensor's name, so that adding a layer moves no other layer's random numbers. */
export const nameKey = (name: string): number => hash32(...Array.from(name, character => character.codePointAt(0)!))

/**
 * A new decoder with random weights: normal with standard deviation 1/√fan-in (GPT-2's 0.02 is far too small at small
 * widths), the two matrices that write to the residual stream divided by a further √(2 · layers) (Radford et al. 2019),
 * embeddings 1/√D, norms 1.
 * @param seed the same seed and config give the same weights on every device
 */
export function createDecoder(config: DecoderConfig, seed: number, options: nn.LayerOptions = {}): Decoder {
  const decoder = new Decoder(config, options)
  for (const [name, weight] of decoder.parameters()) {
    if (weight.ndim < 2) continue
    const fan = weight.shape[1]!
    const intoResidual = name.endsWith('o_proj.weight') || name.endsWith('down_proj.weight')
    init.normal_(weight, 1 / Math.sqrt(intoResidual ? fan * 2 * config.layers : fan), [seed, nameKey(name)])
  }
  return decoder
}

/** Initialises a scalar head in place: mean 0, standard deviation 1/√(D+1), zero bias (Ziegler et al. 2019, lm-human-preferences). */
export function initHead(head: nn.Linear, seed: number): void {
  init.normal_(head.weight, 1 / Math.sqrt(head.weight.shape[1]! + 1), [seed, nameKey('score.weight')])
  if (head.bias) init.zeros_(head.bias)
}

/** A copy of a decoder with the same weights in memory of its own, such as a reference policy (which callers freeze). */
export function cloneDecoder(source: Decoder): Decoder {
  const clone = new Decoder(source.config, { device: source.device, dtype: source.dtype })
  clone.vocabulary = source.vocabulary
  clone.loadStateDict(source.stateDict())
  return clone
}
