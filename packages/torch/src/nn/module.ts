/** Module: a tree of parameters with PyTorch's dotted names; what it holds is found by walking its own properties. */

import { type Device, type DType, isDType } from '../dtype.js'
import { keep, noGrad } from '../scope.js'
import { Tensor } from '../tensor.js'

const marked = new WeakSet<Tensor>()

/**
 * Makes a tensor a parameter: it requires grad, it survives every scope, and a Module that holds it lists it even when
 * it is frozen later. Its module frees it (`module.dispose()`).
 */
export function parameter(tensor: Tensor): Tensor {
  marked.add(keep(tensor))
  return tensor.requires_grad_(true)
}

/** What loadStateDict found when it was told not to be strict. */
export interface LoadReport {
  /** Parameters of the module that the state did not hold; they keep their values. */
  readonly missing: readonly string[]
  /** Keys of the state that the module has no parameter for. */
  readonly unexpected: readonly string[]
}

/**
 * The base of everything with weights. A property that holds a parameter (a tensor made by `parameter`, or one that
 * requires grad), a Module, or an array of Modules is part of the tree, under the property's name: name properties as
 * PyTorch does and the state dict has PyTorch's names. Properties that are private (`#cache`) are not walked.
 */
export abstract class Module {
  /** Parameters by dotted name, in the order of the properties; a tensor held twice (tied) stands under its first name. */
  parameters(): Map<string, Tensor> {
    const found = new Map<string, Tensor>()
    const seen = new Set<Tensor>()
    this.#walk('', (owner, name, path) => {
      const value = owner[name] as Tensor
      if (isParameter(value) && !seen.has(value)) {
        seen.add(value)
        found.set(path, value)
      }
    })
    return found
  }

  /** The parameters that are trained: those that require grad. */
  trainable(): Map<string, Tensor> {
    return new Map([...this.parameters()].filter(([, tensor]) => tensor.requiresGrad))
  }

  /** Number of elements of all parameters. */
  get size(): number {
    let elements = 0
    for (const tensor of this.parameters().values()) elements += tensor.numel
    return elements
  }

  /** Stops (or starts again) the training of every parameter below; frozen parameters stay in the state dict. */
  freeze(frozen = true): this {
    for (const tensor of this.parameters().values()) {
      marked.add(tensor)
      tensor.requires_grad_(!frozen)
    }
    return this
  }

  /**
   * Moves to a device, or converts the floating-point parameters to a dtype, in place: the module then holds other
   * tensors, so make the optimizer afterwards. Tied parameters stay tied; tensors that are no parameters move along,
   * but keep their dtype.
   */
  to(target: Device | DType): this {
    const moved = new Map<Tensor, Tensor>()
    this.#walk('', (owner, name) => {
      const old = owner[name] as Tensor
      const known = moved.get(old)
      if (known) {
        owner[name] = known
        return
      }
      if (isDType(target) && !(isParameter(old) && old.dtype.includes('float'))) return
      if (old.dtype === target || old.device === target) return
      const trained = old.requiresGrad
      const fresh = keep(noGrad(() => old.to(target)))
      if (isParameter(old)) marked.add(fresh)
      if (trained) fresh.requires_grad_(true)
      moved.set(old, fresh)
      owner[name] = fresh
    })
    for (const old of moved.keys()) old.dispose()
    return this
  }

  /** The parameters by name: what a checkpoint holds. The tensors are the module's own, not copies. */
  stateDict(): Map<string, Tensor> {
    return this.parameters()
  }

  /**
   * Copies values into the parameters, converting dtype and device. Nothing is copied unless everything fits.
   * @throws Error naming the keys that are missing or unexpected (when strict, the default) and those of another shape
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, options: { readonly strict?: boolean } = {}): LoadReport {
    const parameters = this.parameters()
    const missing = [...parameters.keys()].filter(name => !state.has(name))
    const unexpected = [...state.keys()].filter(name => !parameters.has(name))
    const problems: string[] = []
    if (options.strict ?? true) {
      if (missing.length > 0) problems.push(`missing ${list(missing)}`)
      if (unexpected.length > 0) problems.push(`unexpected ${list(unexpected)}`)
    }
    for (const [name, tensor] of parameters) {
      const shape = state.get(name)?.shape
      if (shape && shape.join() !== tensor.shape.join()) {
        problems.push(`${name}: got shape [${shape}], expected [${tensor.shape}]`)
      }
    }
    if (problems.length > 0) throw new Error(`${this.constructor.name}.loadStateDict: ${problems.join('; ')}`)
    noGrad(() => {
      for (const [name, tensor] of parameters) {
        const value = state.get(name)
        if (value) tensor.copy_(value)
      }
    })
    return { missing, unexpected }
  }

  /** Frees every tensor of the tree. */
  dispose(): void {
    this.#walk('', (owner, name) => (owner[name] as Tensor).dispose())
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Calls `visit` for every property of the tree that holds a tensor. */
  #walk(prefix: string, visit: (owner: Record<string, unknown>, name: string, path: string) => void): void {
    for (const name of Object.keys(this)) {
      const owner = this as unknown as Record<string, unknown>
      const value = owner[name]
      const path = prefix + name
      if (value instanceof Tensor) visit(owner, name, path)
      else if (value instanceof Module) value.#walk(`${path}.`, visit)
      else if (Array.isArray(value)) {
        for (const [i, element] of value.entries()) {
          if (element instanceof Module) element.#walk(`${path}.${i}.`, visit)
        }
      }
    }
  }
}

const isParameter = (tensor: Tensor): boolean => tensor.requiresGrad || marked.has(tensor)

const list = (names: readonly string[]): string =>
  names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`
