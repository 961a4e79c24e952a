/** The tensors a decoder consists of, without making them: a checkpoint is compared with its config before memory is taken. */

import type { DecoderConfig } from './config.js'

/**
 * Name and shape of every tensor of a `Decoder` (or, with a scalar head, of a `ScalarModel`), in the order of its state
 * dict; made one by one, so that who meets a wrong one early can stop.
 */
export function* tensorShapes(config: DecoderConfig, head: 'vocabulary' | 'scalar'): Generator<[string, number[]]> {
  const { hiddenSize: D, intermediateSize, heads, kvHeads, headDim, attentionBias, norm, mlpBias } = config
  function* linear(name: string, outputs: number, inputs: number, bias: boolean): Generator<[string, number[]]> {
    yield [`${name}.weight`, [outputs, inputs]]
    if (bias) yield [`${name}.bias`, [outputs]]
  }
  function* normed(name: string, width: number): Generator<[string, number[]]> {
    yield [`${name}.weight`, [width]]
    if (norm === 'layer') yield [`${name}.bias`, [width]]
  }
  yield ['model.embed_tokens.weight', [config.vocabSize, D]]
  if (config.positions === 'learned') yield ['model.embed_positions.weight', [config.maxPositions, D]]
  for (let i = 0; i < config.layers; i++) {
    const layer = `model.layers.${i}`
    yield* linear(`${layer}.self_attn.q_proj`, heads * headDim, D, attentionBias !== 'none')
    yield* linear(`${layer}.self_attn.k_proj`, kvHeads * headDim, D, attentionBias !== 'none')
    yield* linear(`${layer}.self_attn.v_proj`, kvHeads * headDim, D, attentionBias !== 'none')
    yield* linear(`${layer}.self_attn.o_proj`, D, heads * headDim, attentionBias === 'all')
    if (config.qkNorm) {
      yield* normed(`${layer}.self_attn.q_norm`, headDim)
      yield* normed(`${layer}.self_attn.k_norm`, headDim)
    }
    if (config.gated) yield* linear(`${layer}.mlp.gate_proj`, intermediateSize, D, mlpBias)
    yield* linear(`${layer}.mlp.up_proj`, intermediateSize, D, mlpBias)
    yield* linear(`${layer}.mlp.down_proj`, D, intermediateSize, mlpBias)
    yield* normed(`${layer}.input_layernorm`, D)
    yield* normed(`${layer}.post_attention_layernorm`, D)
    if (config.postNorms) {
      yield* normed(`${layer}.attention_output_norm`, D)
      yield* normed(`${layer}.mlp_output_norm`, D)
    }
  }
  yield* normed('model.norm', D)
  if (head === 'scalar') yield* linear('score', 1, D, true)
  else if (!config.tied) yield ['lm_head.weight', [config.vocabSize, D]]
}
