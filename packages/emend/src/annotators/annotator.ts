/** Who edits: what a person, a language model or a rule makes of a draft. */
import type { Edit, Prompt } from '@emend/edits'

/** What is to be edited. */
export interface Draft {
  readonly prompt: Prompt
  readonly draft: string
  /** A response that is known to be better. */
  readonly preferred?: string
}

/** A better text, or why there is none; a `final` that is the draft says that no edit is needed. */
export type Edited = { readonly final: string; readonly reasons?: readonly string[] } | { readonly rejected: string }

export interface Annotator {
  /** What the edits are signed with. */
  readonly by: Edit['by']
  edit(draft: Draft): Promise<Edited>
}
