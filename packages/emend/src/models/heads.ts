/** A decoder with one number per token in place of logits: reward models and value models. */

import { type Device, type DType, nn, noGrad, type Tensor } from '@emend/torch'
import { EmendError } from '../errors.js'
import type { DecoderConfig } from './config.js'
import { type Decoder, Trunk, type TrunkOptions } from './decoder.js'
import { initHead } from './init.js'

/** Trunk and a linear head `score`; the state dict has LlamaForTokenClassification's names. */
export class ScalarModel extends nn.Module {
  readonly model: Trunk
  readonly score: nn.Linear

  /** @param options.base a trunk whose weights this model reads (see `Trunk`); the head is its own all the same */
  constructor(
    readonly config: DecoderConfig,
    options: TrunkOptions = {},
  ) {
    super()
    this.model = new Trunk(config, options)
    this.score = new nn.Linear(config.hiddenSize, 1, options)
  }

  get device(): Device {
    return this.model.device
  }

  get dtype(): DType {
    return this.model.dtype
  }

  /**
   * A number for every token of right-padded sequences, each read after its token is consumed; float32 at least.
   * @param ids int64 [B, L]
   * @param options.rows int64 [N], flat positions b·L + j: only these are computed
   * @returns [B, L], or [N] with rows
   */
  scores(ids: Tensor, options: { readonly rows?: Tensor } = {}): Tensor {
    const hidden = this.model.forward(ids, options.rows)
    // The head of an adapted model is float32 also where the trunk is not.
    const { dtype } = this.score.weight
    const scores = this.score.forward(hidden.dtype === dtype ? hidden : hidden.to(dtype)).squeeze(-1)
    return scores.dtype === 'float64' ? scores : scores.to('float32')
  }
}

/**
 * A scalar model whose trunk is a copy of the decoder's (or of another scalar model's) and whose head is new: mean 0,
 * standard deviation 1/√(D+1), zero bias.
 * @param key of the head's random numbers, such as the seed
 */
export function scalarFrom(source: Decoder | ScalarModel, key: number): ScalarModel {
  if (source.model.adapter)
    throw new EmendError('the trunk reads through an adapter: merge it before the trunk is copied')
  const scalar = new ScalarModel(source.config, { device: source.device, dtype: source.dtype })
  scalar.model.loadStateDict(source.model.stateDict())
  initHead(scalar.score, key)
  return scalar
}

/** A value model on a copy of the trunk of `source`. Its head is 0: it first says nothing rather than something wrong. */
export function valueFrom(source: Decoder | ScalarModel): ScalarModel {
  const value = scalarFrom(source, 0)
  noGrad(() => value.score.weight.zero_())
  return value
}
