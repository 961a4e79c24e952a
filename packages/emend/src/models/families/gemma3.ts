/** Gemma 3, text only (arXiv 2503.19786): norms on heads instead of soft caps, and a θ of their own for sliding layers. */

import { EmendError } from '../../errors.js'
import type { Family } from './family.js'
import { capOf, readGemmaShape, storedByGemma, writeGemmaShape } from './gemma2.js'
import { isRotaryBuffer } from './llama.js'
import { readRope, writeScaling } from './rope-config.js'

export const gemma3: Family = {
  name: 'gemma3_text',
  causal: 'Gemma3ForCausalLM',
  tokenClassification: null,
  read(json) {
    json.only('attn_logit_softcapping')
    const shape = readGemmaShape(json)
    const parameters = json.object('rope_parameters')
    const local = parameters?.object('sliding_attention')
    const whole = json.object('rope_scaling') ?? parameters?.object('full_attention')
    const sliding = readRope(json, shape.maxPositions!, json.number('rope_local_base_freq', 10_000), local)
    if (local && sliding.ropeScaling !== null) {
      throw new EmendError(`${local.where}.rope_type "${sliding.ropeScaling.type}" is not supported, only default`)
    }
    const pattern = json.number('sliding_window_pattern', 6)
    if (!Number.isSafeInteger(pattern) || pattern < 1) {
      throw json.wrong('sliding_window_pattern', 'a whole number from 1')
    }
    return {
      ...shape,
      ...readRope(json, shape.maxPositions!, 1_000_000, whole),
      localRopeTheta: local ? sliding.ropeTheta : json.number('rope_local_base_freq', 10_000),
      qkNorm: true,
      logitSoftCap: capOf(json, 'final_logit_softcapping', null),
      slidingWindow: json.number('sliding_window', 4096),
      slidingLayers: json.slidingLayers(shape.layers, i => (i + 1) % pattern !== 0),
    }
  },
  write(config) {
    const { ropeTheta, localRopeTheta, ropeScaling } = config
    return {
      ...writeGemmaShape(config),
      attn_logit_softcapping: null,
      rope_local_base_freq: localRopeTheta,
      rope_parameters: {
        full_attention: { rope_theta: ropeTheta, ...writeScaling(ropeScaling) },
        sliding_attention: { rope_theta: localRopeTheta, rope_type: 'default' },
      },
    }
  },
  stored: storedByGemma,
  idle: isRotaryBuffer,
}
