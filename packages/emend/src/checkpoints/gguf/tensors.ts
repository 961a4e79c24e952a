/** Which tensor of a GGUF file holds which weights of a decoder, and how they are laid out there. */

import { type Tensor, torch } from '@emend/torch'
import type { DecoderConfig } from '../../models/config.js'
import { tensorShapes } from '../../models/shapes.js'
import type { Architecture } from './architectures.js'

/** One tensor of the file. */
export interface Row {
  readonly name: string
  readonly shape: readonly number[]
  /** in the decoder's state dict; several stand below each other in the file */
  readonly parts: readonly { readonly name: string; readonly shape: readonly number[] }[]
  /** heads of queries or keys whose two halves the file interleaves */
  readonly interleaved?: number
  /** what the file adds to the weights */
  readonly offset?: number
}

/** The file's names of what the decoder calls so, without `weight` and `bias`. */
const TOP: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.embed_positions': 'position_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
}
const LAYER: Readonly<Record<string, string>> = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  attention_output_norm: 'post_attention_norm',
  mlp_output_norm: 'post_ffw_norm',
}

/** Every tensor of a decoder, as its architecture names and lays it out. */
export function tensorTable(config: DecoderConfig, architecture: Architecture): Row[] {
  const rows = new Map<string, Row>()
  for (const [ours, shape] of tensorShapes(config, 'vocabulary')) {
    const [, layer, inner, what] = /^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(ours) ?? []
    const plain = layer === undefined ? TOP[inner!] : LAYER[inner!]
    if (!plain) throw new Error(`GGUF has no name for ${ours}`)
    const fused = architecture.fused && /^attn_[qkv]$/.test(plain)
    const name = `${layer === undefined ? '' : `blk.${layer}.`}${fused ? 'attn_qkv' : plain}.${what}`
    const before = rows.get(name)
    const heads = plain === 'attn_q' ? config.heads : plain === 'attn_k' ? config.kvHeads : undefined
    rows.set(name, {
      name,
      parts: [...(before?.parts ?? []), { name: ours, shape }],
      shape: [(before?.shape[0] ?? 0) + shape[0]!, ...shape.slice(1)],
      ...(architecture.interleaved && heads !== undefined && { interleaved: heads }),
      ...(plain.endsWith('_norm') && what === 'weight' && config.normOffset > 0 && { offset: config.normOffset }),
    })
  }
  return [...rows.values()]
}

/** The weights of each part of a row, from what the file holds. */
export function fromFile(row: Row, values: Tensor): Tensor[] {
  const ordered = row.interleaved === undefined ? values : regrouped(values, [row.interleaved, -1, 2])
  const weights = row.offset ? ordered.sub(row.offset) : ordered
  if (row.parts.length === 1) return [weights]
  return torch.split_with_sizes(
    weights,
    row.parts.map(part => part.shape[0]!),
  )
}

/** What the file holds, from the weights of each part of a row. */
export function toFile(row: Row, parts: readonly Tensor[]): Tensor {
  const weights = parts.length === 1 ? parts[0]! : torch.cat([...parts], 0)
  const values = row.offset ? weights.add(row.offset) : weights
  return row.interleaved === undefined ? values : regrouped(values, [row.interleaved, 2, -1])
}

/**
 * Rows of [heads · headDim, …] in another order: llama.cpp rotates neighbours (2i, 2i + 1) where Hugging Face rotates across
 * halves (i, i + headDim / 2), so that a head's rows are stored as pairs × 2 there and 2 × pairs here.
 */
function regrouped(x: Tensor, groups: readonly [number, number, number]): Tensor {
  return x
    .reshape([...groups, ...x.shape.slice(1)])
    .transpose(1, 2)
    .reshape(x.shape)
}
