/** A reward model: a causal trunk with a scalar head, the objective it was trained by, and its calibration. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Device, DType } from '@emend/torch'
import { z } from 'zod'
import { refuseNonFinite } from '../checkpoints/finite.js'
import { isGguf, loadGgufWeights, openGguf } from '../checkpoints/gguf/index.js'
import {
  type AdapterBase,
  baseOfAdapter,
  isAdapter,
  loadModel,
  loadScalarAdapter,
  loadScalarModel,
  saveAdapter,
  saveScalarModel,
} from '../checkpoints/index.js'
import { EmendError } from '../errors.js'
import {
  architectureOf,
  type Decoder,
  familyOf,
  freeOwn,
  mapInBatches,
  responseRows,
  rewardsAt,
  type ScalarModel,
  type Sequences,
} from '../models/index.js'
import { writeAtomically } from '../pipeline/atomic-file.js'
import { refuseUnknown } from '../pipeline/known-options.js'
import { type Calibration, calibrationSchema } from './calibration.js'
import { objectiveOf, type RewardKind, type RewardObjective, rewardKinds } from './objectives/index.js'
import type { RewardReading } from './reading.js'

/** What `reward.json` holds. */
const savedSchema = z.object({
  kind: z.enum(rewardKinds),
  tokenizer: z.string(),
  calibrations: z.record(z.string(), calibrationSchema),
})
type Saved = z.infer<typeof savedSchema>

export class RewardModel {
  readonly scalar: ScalarModel
  readonly objective: RewardObjective
  /** Fingerprint of the tokenizer whose ids it reads. */
  readonly tokenizer: string
  /** Shift and scale by payment name, fitted on samples of the policy it is to train. */
  readonly calibrations: Record<string, Calibration>

  /** @throws EmendError for a family of which there is no token classifier to save it as, before anything is trained */
  constructor(scalar: ScalarModel, kind: string, tokenizer: string, calibrations: Record<string, Calibration> = {}) {
    architectureOf(familyOf(scalar.config.family, 'reward model'), 'token-classification')
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

  /**
   * Writes a Hugging Face folder (a token classifier with one label), or an adapter's as PEFT writes it where the trunk is
   * shared, and `reward.json` beside it.
   */
  async save(folder: string): Promise<void> {
    if (this.scalar.model.adapter) saveAdapter(folder, this.scalar)
    else await saveScalarModel(folder, this.scalar)
    const { objective, tokenizer, calibrations } = this
    const saved: Saved = { kind: objective.kind as RewardKind, tokenizer, calibrations }
    writeAtomically(join(folder, 'reward.json'), `${JSON.stringify(saved, null, 2)}\n`)
  }

  /**
   * @param options.share the model whose weights are read where the reward model is an adapter on them; others are loaded
   * @throws EmendError naming the folder when it holds no reward model, or the file and the key that is wrong
   */
  static async load(
    folder: string,
    options: { device?: Device; dtype?: DType; share?: AdapterBase } = {},
  ): Promise<RewardModel> {
    refuseUnknown('RewardModel.load', options, { device: true, dtype: true, share: true })
    const { share, ...o } = options
    const saved = readSaved(folder)
    const base = isAdapter(folder) ? baseOfAdapter(folder, share) : undefined
    const own = typeof base === 'string' ? await loadBase(base, o) : undefined
    const trunk = own ?? (typeof base === 'object' ? base.decoder : undefined)
    let model: ScalarModel | undefined
    try {
      model = trunk ? loadScalarAdapter(folder, trunk) : (await loadScalarModel(folder, o)).model
      refuseNonFinite(model.parameters(), folder)
      return new RewardModel(model, saved.kind, saved.tokenizer, saved.calibrations)
    } catch (error) {
      if (model) freeOwn(model)
      own?.dispose()
      throw error
    }
  }
}

async function loadBase(base: string, o: { device?: Device; dtype?: DType }): Promise<Decoder> {
  return isGguf(base) ? loadGgufWeights(openGguf(base), o) : (await loadModel(base, o)).model
}

/** What a reward model says of one response. */
export interface Read {
  /** [T] r_t */
  readonly token: Float32Array
  readonly sequence: number
}

function readSaved(folder: string): Saved {
  const path = join(folder, 'reward.json')
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new EmendError(
      `${folder}: no readable reward.json; train a reward model with 'emend reward --out ${folder}'`,
      { cause },
    )
  }
  const { data, error } = savedSchema.safeParse(json)
  if (data) return data
  const [issue] = error.issues
  const key = issue?.path.join('.')
  throw new EmendError(`${path}: ${key ? `${key}: ` : ''}${issue?.message}`)
}
