/** Models that share one copy of the weights, each reading them through an adapter of its own; and adapters merged in. */

import { noGrad, scope, type Tensor } from '@emend/torch'
import { EmendError } from '../errors.js'
import { Decoder } from './decoder.js'
import { ScalarModel } from './heads.js'
import { initHead } from './init.js'
import { Adapter, type LoraConfig } from './lora.js'

/**
 * A language model in the memory of `base`: the same weights, read through a new adapter that changes nothing yet.
 * The weights of `base` are frozen; what is left to train is `trainable()`. `base` itself stays what it was, and so
 * serves as the reference.
 * @param key of the adapter's random numbers, such as the seed
 */
export function adaptedDecoder(base: Decoder, config: LoraConfig, key: number): Decoder {
  refuseTwo(base)
  base.freeze()
  return new Decoder(base.config, { base, adapter: new Adapter(base.model, config, key) })
}

/**
 * A scalar model in the memory of `base`: its trunk, frozen, read through a new adapter, and a head of its own, new as
 * `scalarFrom` makes it, in float32 at least.
 * @param key of the random numbers of adapter and head, such as the seed
 */
export function adaptedScalar(base: Decoder | ScalarModel, config: LoraConfig, key: number): ScalarModel {
  refuseTwo(base)
  const { device, model: trunk } = base
  trunk.freeze()
  const dtype = base.dtype === 'float64' ? 'float64' : 'float32'
  const scalar = new ScalarModel(base.config, { device, dtype, base: trunk, adapter: new Adapter(trunk, config, key) })
  initHead(scalar.score, key)
  return scalar
}

/** Frees what a model does not share with another: all of it, or an adapter and a head. */
export function freeOwn(model: Decoder | ScalarModel): void {
  const { adapter } = model.model
  if (!adapter) {
    model.dispose()
    return
  }
  adapter.dispose()
  if (model instanceof ScalarModel) model.score.dispose()
}

/** @throws EmendError: an adapter changes weights, not another adapter */
function refuseTwo(base: Decoder | ScalarModel): void {
  if (base.model.adapter) throw new EmendError('lora: the model reads through an adapter already: merge that one first')
}

/**
 * A value model in the memory of `base`: as `adaptedScalar`, but its head is 0, so that it first says nothing rather than
 * something wrong, and its adapter starts as a copy of that of `from` where both are of one shape on the same weights.
 */
export function adaptedValue(base: Decoder, from: ScalarModel, config: LoraConfig, key: number): ScalarModel {
  const value = adaptedScalar(base, config, key)
  noGrad(() => value.score.weight.zero_())
  const own = value.model.adapter!
  const other = from.model.adapter
  const same = other && from.model.layers === base.model.layers && shapeOf(other) === shapeOf(own)
  if (same) own.loadStateDict(other.stateDict())
  return value
}

const shapeOf = ({ config: { rank, alpha, rslora = false }, names }: Adapter) =>
  JSON.stringify([rank, alpha, rslora, names])

/** A model with weights of its own into which the adapter of `model` is merged: W + s · B A. */
export function mergeAdapter<M extends Decoder | ScalarModel>(model: M): M {
  const { config, device, dtype } = model
  const merged =
    model instanceof Decoder ? new Decoder(config, { device, dtype }) : new ScalarModel(config, { device, dtype })
  if (merged instanceof Decoder && model instanceof Decoder) merged.vocabulary = model.vocabulary
  merged.loadStateDict(withoutAdapter(model))
  const { adapter } = model.model
  const weights = merged.parameters()
  for (const name of adapter?.names ?? []) {
    scope(() =>
      noGrad(() => {
        const weight = weights.get(`model.${name}.weight`)!
        const change = adapter!.change(name)
        weight.copy_(weight.to(change.dtype).add(change))
      }),
    )
  }
  return merged as M
}

/** What the names of an adapter's weights begin with, in the model that reads through it. */
const ADAPTER = 'model.adapter.'

/** The weights of a model less those of its adapter. */
const withoutAdapter = (model: Decoder | ScalarModel): Map<string, Tensor> =>
  new Map([...model.stateDict()].filter(([name]) => !name.startsWith(ADAPTER)))
