/** Copies of a model's weights, laid out for many passes that need no gradient. */

import { type Device, type DType, noGrad, PackedLinear, scope, type Tensor, torch } from '@emend/torch'

/** A linear map's weight [out, in] and bias. */
interface Linear {
  readonly weight: Tensor
  readonly bias: Tensor | null
}

/**
 * Each weight is packed when it is first used while these are in use, as it then is: make new ones after a step of training.
 * They are as large as what they are made of.
 */
export class PackedWeights {
  static #inUse: PackedWeights | null = null
  readonly #linears = new Map<Tensor, PackedLinear>()

  /** Those in use, if any. */
  static get inUse(): PackedWeights | null {
    return PackedWeights.#inUse
  }

  /** Whether weights of this kind can be packed. */
  static serve(model: { readonly device: Device; readonly dtype: DType }): boolean {
    return PackedLinear.available && model.device === 'cpu' && model.dtype === 'float32'
  }

  /** Runs `fn`, in which linear maps read these. */
  use<T>(fn: () => T): T {
    const before = PackedWeights.#inUse
    PackedWeights.#inUse = this
    try {
      return fn()
    } finally {
      PackedWeights.#inUse = before
    }
  }

  /**
   * x [N, in] → [N, out]
   * @param plus [N, out], added to the result
   * @param key what stands for the map; its weight, unless that is made anew for every call
   */
  linear(x: Tensor, map: Linear, plus?: Tensor, key = map.weight): Tensor {
    return this.#packed(key, () => new PackedLinear(map.weight, map.bias)).forward(x, plus)
  }

  /** The linear maps of x ⊙ scale as one product: x [N, in], scale [in] → each [N, out]. */
  scaled(x: Tensor, scale: Tensor, maps: readonly Linear[]): Tensor[] {
    const joined = (parts: readonly Tensor[]) => (parts.length === 1 ? parts[0]! : torch.cat([...parts], 0))
    const packed = this.#packed(maps[0]!.weight, () => {
      const biases = maps.map(({ weight, bias }) => bias ?? torch.zeros([weight.shape[0]!]))
      const bias = maps.some(map => map.bias !== null) ? joined(biases) : null
      return new PackedLinear(joined(maps.map(({ weight }) => weight)).mul(scale), bias)
    })
    const all = packed.forward(x)
    let from = 0
    return maps.map(({ weight }) => {
      const outputs = weight.shape[0]!
      from += outputs
      return maps.length === 1 ? all : all.narrow(1, from - outputs, outputs)
    })
  }

  dispose(): void {
    for (const linear of this.#linears.values()) linear.dispose()
    this.#linears.clear()
  }

  #packed(key: Tensor, make: () => PackedLinear): PackedLinear {
    let packed = this.#linears.get(key)
    if (!packed) {
      packed = noGrad(() => scope(make))
      this.#linears.set(key, packed)
    }
    return packed
  }
}
