/** What is asked of the generation engine, and what it answers. */

import { EmendError } from '../errors.js'
import { checkShaping, PLAIN, type Shaping } from './sampler.js'

/** How a response ended: by an EOS, by its length (or the context's), or because `onToken` said so. */
export type Finish = 'eos' | 'length' | 'stop'

export interface Generated {
  /** the response; when an EOS was produced it is the last id */
  readonly ids: Int32Array
  /** of each id, under the distribution it was drawn from (penalty, temperature and filters applied) */
  readonly logprobs: Float32Array
  /** an EOS was produced */
  readonly ended: boolean
  readonly finish: Finish
}

/** One token of one sample, as it is drawn. */
export interface GeneratedToken {
  /** 0 .. n-1 */
  readonly sample: number
  readonly id: number
  /** under the distribution it was drawn from */
  readonly logprob: number
  /** where asked for: the most probable tokens of the distribution, best first, those of no probability left out */
  readonly top?: readonly (readonly [id: number, logprob: number])[]
}

export interface GenerationRequest {
  /** token ids, at least one */
  readonly prompt: Int32Array
  /** new tokens a sample, EOS included; fewer where the context ends first */
  readonly maxNewTokens: number
  /** ids that end a sample; any of them */
  readonly eos: readonly number[]
  /** what is left out is as in `PLAIN`: the model's own distribution */
  readonly sampling?: Partial<Shaping>
  readonly seed: number
  /**
   * With the seed it decides the random numbers: token t of sample 0 is drawn with u = hash(seed, request, t), of another
   * sample with u = hash(seed, request, t, sample).
   */
  readonly request: number
  /** samples; the prompt is computed once for all of them. Default 1 */
  readonly n?: number
  /** how many of the most probable tokens `onToken` is told. Default 0 */
  readonly topLogprobs?: number
  /** Called in the order of the tokens; 'stop' ends the sample behind this token. */
  onToken?(token: GeneratedToken): 'stop' | undefined
  /** Called once a sample, behind its last token. */
  onFinish?(sample: number, result: Generated): void
}

/**
 * @param where names the request in errors, such as `prompt 3`
 * @throws EmendError naming the setting that cannot be, or the prompt (empty, or as long as the context)
 */
export function checkRequest(request: GenerationRequest, context: number, where: string): void {
  const { prompt, maxNewTokens, n = 1, topLogprobs = 0 } = request
  checkShaping({ ...PLAIN, ...request.sampling })
  for (const [name, value, least] of [
    ['maxNewTokens', maxNewTokens, 1],
    ['n', n, 1],
    ['topLogprobs', topLogprobs, 0],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new EmendError(`${name}: got ${value}, expected a whole number from ${least}`)
    }
  }
  if (prompt.length === 0) throw new EmendError(`${where} is empty: begin it with at least one token (BOS)`)
  if (prompt.length >= context) {
    throw new EmendError(
      `${where} has ${prompt.length} tokens: the model's context of ${context} leaves no room for a reply`,
    )
  }
}
