/** A reward model: a causal trunk with a scalar head, the objective it was trained by, and its calibration. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Device, Tensor } from '@emend/torch'
import { loadScalarModel, saveScalarModel } from '../checkpoints/index.js'
import { EmendError } from '../errors.js'
import { mapInBatches, responseRows, rewardsAt, type ScalarModel, type Sequences } from '../models/index.js'
import type { Calibration } from './calibration.js'
import { objectiveOf, type RewardObjective } from './objectives/index.js'
import type { RewardReading } from './reading.js'

export class RewardModel {
  readonly scalar: ScalarModel
  readonly objective: RewardObjective
  /** Fingerprint of the tokenizer whose ids it reads. */
  readonly tokenizer: string
  /** Shift and scale by payment name, fitted on samples of the policy it is to train. */
  readonly calibrations: Record<string, Calibration>

  constructor(scalar: ScalarModel, kind: string, tokenizer: string, calibrations: Record<string, Calibration> = {}) {
    this.scalar = scalar
    this.objective = objectiveOf(kind)
    this.tokenizer = tokenizer
    this.calibrations = calibrations
  }

  /** Differentiable; callers choose `noGrad`. */
  read(batch: Sequences): RewardReading {
    const token = rewardsAt(this.scalar, batch).mul(batch.mask)
    return { token, sequence: this.objective.sequence(token, batch.mask), mask: batch.mask }
  }

  /**
   * Readings of many responses, in batches of similar length, without gradient.
   *
   * @returns one entry a response: r_t [T] and R
   */
  readAll(prompts: readonly Int32Array[], responses: readonly Int32Array[], batchTokens = 8192): Read[] {
    const reads = (batch: Sequences): Read[] => {
      const { token, sequence } = this.read(batch)
      const sequences = sequence.floats()
      return responseRows(token, batch.lengths).map((row, i) => ({ token: row, sequence: sequences[i] as number }))
    }
    return mapInBatches(prompts, responses, batchTokens, reads, this.scalar.device)
  }

  /** Every weight, for training. */
  parameters(): Map<string, Tensor> {
    return this.scalar.parameters()
  }

  /** Writes a Hugging Face folder (`LlamaForTokenClassification`, one label) and `reward.json` beside it. */
  async save(folder: string): Promise<void> {
    await saveScalarModel(folder, this.scalar)
    const { objective, tokenizer, calibrations } = this
    writeFileSync(
      join(folder, 'reward.json'),
      JSON.stringify({ kind: objective.kind, tokenizer, calibrations }, null, 2) + '\n',
    )
  }

  /** @throws EmendError naming the folder when it holds no reward model */
  static async load(folder: string, o: { device?: Device } = {}): Promise<RewardModel> {
    let saved: { kind: string; tokenizer: string; calibrations: Record<string, Calibration> }
    try {
      saved = JSON.parse(readFileSync(join(folder, 'reward.json'), 'utf8'))
    } catch (cause) {
      throw new EmendError(
        `${folder}: no readable reward.json; train a reward model with 'emend reward --out ${folder}'`,
        { cause },
      )
    }
    const { model } = await loadScalarModel(folder, o)
    return new RewardModel(model, saved.kind, saved.tokenizer, saved.calibrations)
  }
}

/** What a reward model says of one response. */
export interface Read {
  /** [T] r_t */
  readonly token: Float32Array
  readonly sequence: number
}
