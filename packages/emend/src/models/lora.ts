/** Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): several on one set of weights, each model reads through its own. */

import { init, nn, type Tensor, torch } from '@emend/torch'
import { EmendError } from '../errors.js'
import { nameKey } from './init.js'
import { type Addition, Projection } from './projection.js'

/** The shape of an adapter; PEFT's r, lora_alpha, target_modules and use_rslora. */
export interface LoraConfig {
  /** r, the rank of every change */
  readonly rank: number
  /** the change is scaled by alpha / rank */
  readonly alpha: number
  /** names of linear maps, whole or their last parts (q_proj, mlp.up_proj, layers.0.self_attn.q_proj), or all-linear */
  readonly targets: readonly string[]
  /** scales by alpha / √rank instead (Kalajdzievski 2023, arXiv 2312.03732) */
  readonly rslora?: boolean
}

/** The target that means every linear map inside the layers. */
export const ALL_LINEAR = 'all-linear'

/** x ↦ s · B (A x), in float32 at least whatever the dtype of the weights that it changes. */
class LowRank extends nn.Module implements Addition {
  readonly lora_A: nn.Linear
  readonly lora_B: nn.Linear

  constructor(
    inputs: number,
    outputs: number,
    rank: number,
    readonly scale: number,
    options: nn.LayerOptions,
  ) {
    super()
    this.lora_A = new nn.Linear(inputs, rank, { ...options, bias: false })
    this.lora_B = new nn.Linear(rank, outputs, { ...options, bias: false })
  }

  forward(x: Tensor): Tensor {
    const own = this.lora_A.weight.dtype
    const exact = x.dtype === own ? x : x.to(own)
    const change = this.lora_B.forward(this.lora_A.forward(exact).mul(this.scale))
    return x.dtype === own ? change : change.to(x.dtype)
  }

  /** s · B A, what is added to the weight: [out, in] */
  change(): Tensor {
    return torch.mm(this.lora_B.weight, this.lora_A.weight).mul(this.scale)
  }
}

/** A place in a tree of modules: its parts are properties, so that their weights have dotted names. */
class Branch extends nn.Module {}

/**
 * One adapter of a decoder's layers. Its weights are named as the maps they change, `layers.0.self_attn.q_proj.lora_A.weight`;
 * the weights that it changes belong to the trunk it was made for.
 */
export class Adapter extends nn.Module {
  /** the folder of the weights that it changes, for its own folder to name; null where they have none */
  base: string | null = null
  #changes: ReadonlyMap<string, readonly [Projection, LowRank]>

  /**
   * A starts uniform in ±1/√in (Kaiming's with a = √5, as in PEFT), B at 0: at first nothing is changed.
   * @param trunk holds the linear maps
   * @param key of the random numbers, such as the seed
   * @throws EmendError for a target that names no linear map, a rank or an alpha that cannot be
   */
  constructor(
    trunk: nn.Module,
    readonly config: LoraConfig,
    key: number,
  ) {
    super()
    const { rank, alpha, targets, rslora } = config
    if (!Number.isSafeInteger(rank) || rank < 1) {
      throw new EmendError(`lora: rank: got ${rank}, expected a whole number from 1`)
    }
    if (!(alpha > 0 && alpha < Infinity)) throw new EmendError(`lora: alpha: got ${alpha}, expected a positive number`)
    const found = projectionsOf(trunk)
    const changes = new Map<string, readonly [Projection, LowRank]>()
    for (const target of targets) {
      const meant = [...found.keys()].filter(
        name => target === ALL_LINEAR || name === target || name.endsWith(`.${target}`),
      )
      if (meant.length === 0) throw new EmendError(`lora: targets: ${unknownTarget(target, found.keys())}`)
      for (const name of meant) {
        if (changes.has(name)) continue
        const projection = found.get(name)!
        const [outputs, inputs] = projection.weight.shape as [number, number]
        const { device, dtype } = projection.weight
        const scale = alpha / (rslora ? Math.sqrt(rank) : rank)
        const change = new LowRank(inputs, outputs, rank, scale, {
          device,
          dtype: dtype === 'float64' ? dtype : 'float32',
        })
        const bound = 1 / Math.sqrt(inputs)
        init.uniform_(change.lora_A.weight, -bound, bound, [key, nameKey(name)])
        changes.set(name, [projection, change])
      }
    }
    if (changes.size === 0) throw new EmendError('lora: targets: got none, expected names such as q_proj')
    // In the order of the trunk, so that names and bytes do not depend on the order of the targets.
    const ordered = [...found.keys()].filter(name => changes.has(name)).map(name => [name, changes.get(name)!] as const)
    this.#changes = new Map(ordered)
    for (const [name, [, change]] of ordered) {
      const parts = name.split('.')
      let place: Record<string, unknown> = this as unknown as Record<string, unknown>
      for (const part of parts.slice(0, -1)) place = (place[part] ??= new Branch()) as Record<string, unknown>
      place[parts.at(-1)!] = change
    }
  }

  /** Names of the linear maps that it changes, in the trunk's order. */
  get names(): string[] {
    return [...this.#changes.keys()]
  }

  /** Runs `fn` with the adapter in place, and puts back what was there. */
  active<T>(fn: () => T): T {
    const changes = [...this.#changes.values()]
    const before = changes.map(([projection]) => projection.addition)
    for (const [projection, change] of changes) projection.addition = change
    try {
      return fn()
    } finally {
      for (const [i, [projection]] of changes.entries()) projection.addition = before[i]!
    }
  }

  /** What it adds to the weight of the linear map `name`: s · B A, [out, in]. */
  change(name: string): Tensor {
    return this.#changes.get(name)![1].change()
  }
}

/** The linear maps of a tree of modules that an adapter can change, by name. */
function projectionsOf(module: nn.Module, prefix = ''): Map<string, Projection> {
  const found = new Map<string, Projection>()
  for (const [name, value] of Object.entries(module)) {
    const parts = Array.isArray(value)
      ? value.map((part, i) => [`${name}.${i}`, part] as const)
      : [[name, value] as const]
    for (const [part, inner] of parts) {
      if (inner instanceof Projection) found.set(prefix + part, inner)
      else if (inner instanceof nn.Module)
        for (const entry of projectionsOf(inner, `${prefix}${part}.`)) found.set(...entry)
    }
  }
  return found
}

function unknownTarget(target: string, names: Iterable<string>): string {
  const kinds = [...new Set([...names].map(name => name.split('.').at(-1)))]
  return `got '${target}', which is no linear map inside the layers; there are ${kinds.join(', ')}`
}
