/** From what a language model answers to the final text: what it wraps around the text is no part of it, and is noticed. */
import { withoutThought } from '../providers/thoughts.js'
import { finalTag } from './editor-prompt.js'

/** The final text, or what is wrong with the answer as one sentence. */
export type EditorReply = { readonly final: string } | { readonly chatty: string }

const PREAMBLE =
  /^(sure|certainly|of course|absolutely|okay|ok|alright|here(?:'s| is| are|’s)|i(?:'ve|’ve| have) |the (?:corrected|edited|revised|improved|final)\b|(?:corrected|edited|revised|improved|final) (?:draft|response|version|text|answer))[^\n]*?[:!\n]/i
/** Between tags a line may well begin with "I have"; a heading that explains does not belong there. */
const POSTSCRIPT = /\n[^\S\n]*\**(?:notes?|changes|changes made|explanation)\b\**:[^\n]*/i
const TALK =
  /\n[^\S\n]*\**(?:notes?|changes|changes made|explanation|i (?:changed|corrected|removed|added|made|have|kept))\b/i
const QUESTION = /<\/?(?:draft|instruction|preferred|reasons)(?:-\d+)?>/
const HABIT = /^\s*<final>([\s\S]*)<\/final>\s*$/

/**
 * What stands between the tags, or the whole answer where there are none. White space at both ends is the draft's: an edit of it
 * alone is none. Preambles, postscripts, quotes and fences that the draft does not have make an answer chatty.
 */
export function readEditorReply(answer: string, draft: string): EditorReply {
  const said = withoutThought(answer)
  if (QUESTION.test(said) && !QUESTION.test(draft)) return { chatty: 'it repeats the question' }
  const tag = finalTag(draft)
  const [before, ...opened] = said.split(`<${tag}>`)
  const [inside, ...closed] = (opened[0] ?? before!).split(`</${tag}>`)
  const tagged = opened.length + closed.length > 0
  if (opened.length > 1 || closed.length > 1) return { chatty: `there is more than one <${tag}>` }
  if (opened.length !== closed.length) return { chatty: `the tags <${tag}> and </${tag}> are not both there` }
  // Asked for <final-2>, some models write <final> all the same; around the whole answer it can only be theirs.
  const habit = !tagged && !HABIT.test(draft) ? HABIT.exec(inside!)?.[1] : undefined
  const text = (habit ?? inside!).trim()
  const was = draft.trim()
  const wrapped = (mark: RegExp) => mark.test(text) && !mark.test(was)
  if (wrapped(/^```[\s\S]*```$/)) return { chatty: 'it stands in a code fence' }
  if (wrapped(/^"[\s\S]*"$/) || wrapped(/^“[\s\S]*”$/) || wrapped(/^'[\s\S]*'$/))
    return { chatty: 'it stands in quotes' }
  if (wrapped(PREAMBLE)) return { chatty: 'it begins with a preamble' }
  if (wrapped(tagged ? POSTSCRIPT : TALK)) return { chatty: 'it explains itself' }
  if (text === '') return { final: '' }
  const lead = draft.slice(0, draft.length - draft.trimStart().length)
  return { final: lead + text + (was === '' ? '' : draft.slice(draft.trimEnd().length)) }
}
