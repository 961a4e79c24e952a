/** What stands before a model and says what it should not answer. */

/** A turn as a guard reads it; roles are whatever the request says. */
export interface Turn {
  readonly role: string
  readonly content: string
}

/** What a verdict took, beyond the answer itself. */
export interface GuardCost {
  /** Calls of a language model, and how many of them were answered from disk. */
  readonly calls: number
  readonly cached: number
  readonly input_tokens: number
  readonly output_tokens: number
  /** Calls whose provider did not tell their tokens. */
  readonly usage_unknown: number
  /** From the request to the verdict: what the first word of the answer comes later. */
  readonly seconds: number
}

/** Why a request passes or not: `unparsable` is what the guard's model said, not the request. */
export type Why = 'safe' | 'unsafe' | 'unparsable' | 'too long'

/** One intent and what the model said to it. */
export interface Probe {
  readonly intent: string
  readonly answer: string
  /** null where the answer says neither. */
  readonly unsafe: boolean | null
}

export interface GuardVerdict {
  readonly refused: boolean
  readonly why: Why
  /** Parts of the request that were distilled, and those of them whose distillation could not be read. */
  readonly segments: number
  readonly unparsable: number
  readonly probes: readonly Probe[]
  readonly cost: GuardCost
}

export interface Guard {
  /** With the versions of its prompts, and whatever else its verdicts depend on. */
  readonly name: string
  /** @throws CallError where its model gives no answer: then nobody knows, and nothing should be answered */
  check(turns: readonly Turn[], options?: { readonly signal?: AbortSignal }): Promise<GuardVerdict>
}
