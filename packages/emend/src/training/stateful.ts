/** What a checkpoint holds: each owner of state gives it out and takes it back. */
import type { Module, Tensor } from '@emend/torch'
import { EmendError } from '../errors.js'

/** Tensors go to safetensors, values to JSON. */
export interface State {
  readonly tensors?: ReadonlyMap<string, Tensor>
  readonly values?: Readonly<Record<string, unknown>>
}

/** Something whose future depends on its past: weights, an optimizer, a controller, a log's position. */
export interface Stateful {
  state(): State
  load(state: State): void
}

/** The weights of a module that are trained, as state: those of an adapter, where the rest is frozen. */
export function weightsOf(module: Module): Stateful {
  return {
    state: () => ({ tensors: module.trainable() }),
    load({ tensors = new Map() }: State) {
      const missing = [...module.trainable().keys()].filter(name => !tensors.has(name))
      const { unexpected } = module.loadStateDict(new Map(tensors), { strict: false })
      if (missing.length + unexpected.length === 0) return
      throw new EmendError(
        `the checkpoint is of another model: ${[...missing.map(n => `${n} is missing`), ...unexpected.map(n => `${n} is unknown`)].slice(0, 3).join(', ')}`,
      )
    },
  }
}
