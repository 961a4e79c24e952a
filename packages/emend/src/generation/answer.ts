/** Samples of one prompt as text: as it comes, up to a stop string. */

import { setImmediate } from 'node:timers/promises'
import { Interrupted } from '../errors.js'
import type { Decoder } from '../models/decoder.js'
import type { Tokenizer } from '../text/tokenizer.js'
import { GenerationEngine } from './engine.js'
import type { Generated, GenerationRequest } from './request.js'
import { TextStream } from './text-stream.js'

export interface AnswerOptions
  extends Pick<GenerationRequest, 'maxNewTokens' | 'eos' | 'sampling' | 'seed' | 'n' | 'topLogprobs' | 'onToken'> {
  /** with the seed it decides the random numbers; default 0 */
  readonly request?: number
  /** strings that end a sample; they are no part of its text */
  readonly stop?: readonly string[]
  /** Called with text that nothing will be taken back of. */
  onText?(sample: number, piece: string): void
  readonly signal?: AbortSignal
}

export interface Answer extends Generated {
  /** without special tokens, and without the stop string and what stands behind it */
  readonly text: string
}

/**
 * n samples of one prompt, which is read once for all of them.
 * @param prompt token ids, at least one
 * @throws EmendError naming the setting that cannot be; Interrupted once `signal` is aborted
 */
export async function answer(
  model: Decoder,
  tokenizer: Tokenizer,
  prompt: Int32Array,
  options: AnswerOptions,
): Promise<Answer[]> {
  const { n = 1, stop = [], signal, onText, request = 0, ...rest } = options
  const streams = Array.from({ length: n }, () => new TextStream(tokenizer, { stop }))
  const texts = streams.map(() => '')
  const answers: Answer[] = new Array(n)
  const say = (sample: number, piece: string) => {
    if (piece === '') return
    texts[sample] += piece
    onText?.(sample, piece)
  }
  const engine = new GenerationEngine(model, { maxRows: Math.min(n, 64) })
  try {
    engine.add({
      ...rest,
      prompt,
      n,
      request,
      onToken(token) {
        const stream = streams[token.sample]!
        say(token.sample, stream.push(token.id))
        return options.onToken?.(token) === 'stop' || stream.stopped ? 'stop' : undefined
      },
      onFinish(sample, result) {
        say(sample, streams[sample]!.end())
        answers[sample] = { ...result, text: texts[sample]! }
      },
    })
    while (engine.step()) {
      await setImmediate()
      if (signal?.aborted) throw new Interrupted('stopped while generating')
    }
  } finally {
    engine.dispose()
  }
  return answers
}
