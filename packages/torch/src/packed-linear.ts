/** A linear map whose weight oneDNN has laid out for its kernels: for weights that are read many times and not trained. */

import { keep, noGrad } from './scope.js'
import { Tensor } from './tensor.js'
import { torch } from './torch.js'

/**
 * x → x Wᵀ + b with W in oneDNN's own layout, in float32 on the CPU. Measured on two cores: for 2 to 2,048 rows 1.1 to 2.5
 * times as quick as `torch.linear`. It holds a copy of the weight as it is now, and has no gradient. `dispose` frees it.
 * The operators are private ones of libtorch that check little; what they take for granted is checked here.
 */
export class PackedLinear {
  readonly #packed: Tensor
  readonly #bias: Tensor | null
  readonly #inputs: number
  readonly #outputs: number

  /** @throws TypeError unless weight is a float32 matrix [out, in] on the CPU, and bias [out] of the same kind or null */
  constructor(weight: Tensor, bias: Tensor | null = null) {
    if (weight.ndim !== 2 || !fits(weight)) throw new TypeError(`PackedLinear: weight: ${expected('matrix', weight)}`)
    const [outputs, inputs] = weight.shape as [number, number]
    if (bias && (bias.ndim !== 1 || bias.shape[0] !== outputs || !fits(bias))) {
      throw new TypeError(`PackedLinear: bias: ${expected(`vector of ${outputs}`, bias)}`)
    }
    this.#inputs = inputs
    this.#outputs = outputs
    this.#bias = bias && keep(noGrad(() => bias.detach().clone()))
    this.#packed = keep(
      // A layout for some tens of rows is a good one for all numbers of rows.
      noGrad(() => torch.unsafe.call('mkldnn::_reorder_linear_weight', '', weight.detach().contiguous(), 32) as Tensor),
    )
  }

  /** Whether the libtorch at hand has the operators. */
  static readonly available: boolean = (() => {
    try {
      torch.unsafe.call('mkldnn::_reorder_linear_weight', '')
    } catch (error) {
      return !(error as Error).message.includes('has no such operator')
    }
    return true
  })()

  /**
   * [N, in] → [N, out]
   * @param plus [N, out], added to the result: quicker than another operator
   * @throws TypeError unless both are float32 matrices of such widths on the CPU
   */
  forward(x: Tensor, plus?: Tensor): Tensor {
    if (x.ndim !== 2 || x.shape[1] !== this.#inputs || !fits(x)) {
      throw new TypeError(`PackedLinear: ${expected(`matrix [N, ${this.#inputs}]`, x)}`)
    }
    if (!plus) {
      const none: number[] = []
      return torch.unsafe.call('mkldnn::_linear_pointwise', '', x, this.#packed, this.#bias, 'none', none, '') as Tensor
    }
    const rows = x.shape[0]!
    if (plus.ndim !== 2 || plus.shape[0] !== rows || plus.shape[1] !== this.#outputs || !fits(plus)) {
      throw new TypeError(`PackedLinear: plus: ${expected(`matrix [${rows}, ${this.#outputs}]`, plus)}`)
    }
    const other = plus.contiguous()
    return torch.unsafe.call('mkldnn::_linear_pointwise', 'binary', x, other, this.#packed, this.#bias, 'add') as Tensor
  }

  dispose(): void {
    this.#packed.dispose()
    this.#bias?.dispose()
  }
}

const fits = (x: Tensor) => x instanceof Tensor && x.dtype === 'float32' && x.device === 'cpu'

const expected = (what: string, got: Tensor) =>
  `expected a float32 ${what} on the CPU, got ${got.dtype} [${got.shape.join(', ')}] on ${got.device}`
