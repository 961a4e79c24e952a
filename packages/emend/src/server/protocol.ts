/** What the thread that answers requests and the thread that computes say to each other. */

/** Samples of one prompt. */
export interface GenerateTask {
  readonly task: number
  readonly prompt: Int32Array
  /** samples of it */
  readonly n: number
  readonly maxNewTokens: number
  readonly sampling: {
    readonly temperature: number
    /** 0: all */
    readonly topK: number
    readonly topP: number
    readonly minP: number
    /** 1: none */
    readonly repetitionPenalty: number
  }
  readonly seed: number
  /** with the seed the key of its random numbers */
  readonly request: number
  /** how many of the most likely tokens to tell beside each; undefined: no log-probabilities wanted at all */
  readonly topLogprobs?: number
  /** texts that end a sample and are no part of it */
  readonly stop: readonly string[]
}

/** A token of which all that will be sent of its text has been sent. */
export interface SettledToken {
  readonly id: number
  /** the UTF-16 unit of the sample's text where it begins */
  readonly start: number
  readonly logprob: number
  /** most likely first */
  readonly top: readonly (readonly [id: number, logprob: number])[]
}

/** What one step added to a sample. */
export interface SampleEvent {
  readonly task: number
  readonly sample: number
  /** characters that no later token can change, and that begin no stop text */
  readonly text: string
  /** only where log-probabilities were asked for */
  readonly tokens?: readonly SettledToken[]
  readonly finish?: 'stop' | 'length'
  /** with `finish`: ids generated, those that end it included */
  readonly generated?: number
}

/** A response to be read by the reward model. */
export interface ScoreTask {
  readonly task: number
  readonly prompt: Int32Array
  readonly response: Int32Array
}

export type ToCompute =
  | ({ readonly type: 'generate' } & GenerateTask)
  | ({ readonly type: 'score' } & ScoreTask)
  | { readonly type: 'cancel'; readonly task: number }
  | { readonly type: 'close' }

/** What the models are, told once they are loaded. */
export interface Ready {
  readonly context: number
  /** ids that can be prompted with: 0 … vocabulary − 1 */
  readonly vocabulary: number
  /** its tokenizer.json and tokenizer_config.json */
  readonly tokenizer: { readonly source: string; readonly config: Readonly<Record<string, unknown>> | undefined }
  readonly reward?: {
    readonly context: number
    readonly vocabulary: number
    /** fingerprint of its tokenizer */
    readonly tokenizer: string
    readonly eos: readonly number[]
  }
}

export type FromCompute =
  | ({ readonly type: 'ready' } & Ready)
  /** Loading failed; the thread ends. `user`: the message is meant for people. */
  | { readonly type: 'unusable'; readonly message: string; readonly user: boolean }
  /** Everything that one step added. */
  | { readonly type: 'samples'; readonly events: readonly SampleEvent[] }
  | { readonly type: 'scored'; readonly task: number; readonly rewards: Float32Array; readonly total: number }
  /** A task cannot be finished. */
  | { readonly type: 'failed'; readonly task: number; readonly message: string }
