/** What judges: of two responses to a prompt, which is better. */
import type { Prompt } from '@emend/edits'
import type { Preference } from '../winrate.js'

/** Two responses to compare. */
export interface Game {
  readonly prompt: Prompt
  readonly a: string
  readonly b: string
}

/** One time that a judge was asked. */
export interface Asked {
  /** Which response it saw first. */
  readonly first: 'a' | 'b'
  /** 1 = a is better, whichever stood first. */
  readonly preference: Preference
}

/** A judgement: 1 = a is better, 2 = b is better, fractions between; null where the judge gave none that can be read. */
export interface Verdict {
  readonly preference: Preference
  /** What the judge said. */
  readonly raw?: string
  /** In which order it was asked; absent where order cannot matter. */
  readonly asked?: readonly Asked[]
}

/** Compares responses. Whoever asks decides about their order. */
export interface Judge {
  /** With the version of its prompt, as it stands in annotations. */
  readonly name: string
  compare(game: Game): Promise<Verdict>
}
