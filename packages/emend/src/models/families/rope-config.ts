/** Rotary settings in `config.json`: `rope_parameters` as transformers 5 writes, `rope_theta` and `rope_scaling` as before. */

import { EmendError } from '../../errors.js'
import type { DecoderConfig } from '../config.js'
import type { RopeScaling } from '../rope.js'
import type { ConfigReader } from './config-reader.js'

/**
 * θ and the scaling of the frequencies.
 * @param rope the object that holds them: `rope_scaling` or `rope_parameters`, if there is one
 * @param maxPositions stands in for the original context where a file does not name it, as in transformers
 */
export function readRope(
  json: ConfigReader,
  maxPositions: number,
  fallback = 10_000,
  rope = json.object('rope_scaling') ?? json.object('rope_parameters'),
): Pick<DecoderConfig, 'ropeTheta' | 'ropeScaling'> {
  json.only('partial_rotary_factor', 1)
  const ropeTheta =
    rope?.get('rope_theta') === undefined ? json.number('rope_theta', fallback) : rope.number('rope_theta')
  const ropeScaling = rope ? readScaling(rope, json, maxPositions) : null
  if (ropeScaling?.type === 'yarn' && !(ropeTheta > 1)) {
    throw new EmendError(`${json.where}: rope_theta: got ${ropeTheta}, expected more than 1 for yarn`)
  }
  return { ropeTheta, ropeScaling }
}

function readScaling(rope: ConfigReader, json: ConfigReader, maxPositions: number): RopeScaling | null {
  const type = rope.get('rope_type') ?? rope.get('type') ?? 'default'
  rope.only('partial_rotary_factor', 1)
  if (type === 'default') return null
  const positive = (key: string, fallback?: number) => {
    const value = rope.number(key, fallback)
    if (!(value > 0 && value < Infinity)) throw rope.wrong(key, 'a positive number')
    return value
  }
  const originalPositions = () =>
    positive('original_max_position_embeddings', json.number('original_max_position_embeddings', maxPositions))
  switch (type) {
    case 'linear':
      return { type: 'linear', factor: positive('factor') }
    case 'dynamic':
      return { type: 'dynamic', factor: positive('factor') }
    case 'llama3': {
      const factor = positive('factor')
      const lowFrequencyFactor = positive('low_freq_factor')
      const highFrequencyFactor = positive('high_freq_factor')
      if (highFrequencyFactor <= lowFrequencyFactor) throw rope.wrong('high_freq_factor', 'more than low_freq_factor')
      return { type: 'llama3', factor, lowFrequencyFactor, highFrequencyFactor, originalPositions: originalPositions() }
    }
    case 'yarn': {
      const original = originalPositions()
      const factor = positive('factor', maxPositions / original)
      const [all, one] = [rope.number('mscale_all_dim', 0), rope.number('mscale', 0)]
      return {
        type: 'yarn',
        factor,
        magnitude: positive(
          'attention_factor',
          all && one ? yarnScale(factor, one) / yarnScale(factor, all) : yarnScale(factor, 1),
        ),
        betaFast: rope.number('beta_fast', 0) || 32,
        betaSlow: rope.number('beta_slow', 0) || 1,
        truncate: rope.flag('truncate', true),
        originalPositions: original,
      }
    }
    default:
      throw new EmendError(
        `${rope.where}.rope_type ${JSON.stringify(type)} is not supported, only default, linear, dynamic, llama3 and yarn`,
      )
  }
}

/** What YaRN makes of queries and keys unless told otherwise (arXiv 2309.00071, equation 22). */
const yarnScale = (factor: number, weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1)

/** A scaling as transformers names its parts; what is usual is left out. */
export function writeScaling(scaling: RopeScaling | null): Record<string, unknown> {
  if (scaling === null) return { rope_type: 'default' }
  const common = { rope_type: scaling.type, factor: scaling.factor }
  if (scaling.type === 'linear' || scaling.type === 'dynamic') return common
  const original = { ...common, original_max_position_embeddings: scaling.originalPositions }
  if (scaling.type === 'llama3') {
    return {
      ...original,
      low_freq_factor: scaling.lowFrequencyFactor,
      high_freq_factor: scaling.highFrequencyFactor,
    }
  }
  const { factor, magnitude, betaFast, betaSlow, truncate } = scaling
  return {
    ...original,
    ...(magnitude === yarnScale(factor, 1) ? {} : { attention_factor: magnitude }),
    ...(betaFast === 32 ? {} : { beta_fast: betaFast }),
    ...(betaSlow === 1 ? {} : { beta_slow: betaSlow }),
    ...(truncate ? {} : { truncate }),
  }
}

/** θ and scaling for transformers 4 (`rope_theta`, `rope_scaling`) and 5 (`rope_parameters`) alike. */
export function writeRope({ ropeTheta, ropeScaling }: DecoderConfig): Record<string, unknown> {
  return {
    rope_theta: ropeTheta,
    ...(ropeScaling ? { rope_scaling: writeScaling(ropeScaling) } : {}),
    rope_parameters: { rope_theta: ropeTheta, ...writeScaling(ropeScaling) },
  }
}
