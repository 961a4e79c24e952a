/** What a checkpoint holds: each owner of state gives it out and takes it back. */
import type { Module, Tensor } from '@emend/torch'

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

/** The weights of a module as state. */
export function weightsOf(module: Module): Stateful {
  return {
    state: () => ({ tensors: module.stateDict() }),
    load: state => void module.loadStateDict(new Map(state.tensors), { strict: true }),
  }
}
