/** Who edits: what a person, a language model or a rule makes of a draft. */
import type { Edit, Prompt } from '@emend/edits'

/** What is to be edited. */
export interface Draft {
  readonly prompt: Prompt
  readonly draft: string
  /** A response that is known to be better. */
  readonly preferred?: string
  /** What is wrong, where it is known. */
  readonly reasons?: readonly string[]
}

/** Why an annotator has no usable edit of a draft that somebody else may well edit. */
export type Failing =
  | 'empty-draft'
  | 'too-long'
  | 'empty-final'
  | 'unchanged'
  | 'over-budget'
  | 'shares-too-little'
  | 'truncated'
  | 'filtered'
  | 'chatty'
  | 'did-not-win'

/**
 * A better text, or why there is none; a `final` that is the draft says that no edit is needed. Rejected says that the draft
 * cannot be fixed, unless it is the annotator who is `failing`.
 */
export type Edited =
  | { readonly final: string; readonly reasons?: readonly string[] }
  | { readonly rejected: string; readonly failing?: Failing }

export interface Annotator {
  /** What the edits are signed with. */
  readonly by: Edit['by']
  edit(draft: Draft): Promise<Edited>
}
