/** From what a language model answers to the final text: what it wraps around the text is no part of it, and is noticed. */
import { readSection } from '../providers/sections.js'

/** The final text, or what is wrong with the answer as one sentence. */
export type EditorReply = { readonly final: string } | { readonly chatty: string }

const PREAMBLE =
  /^(sure|certainly|of course|absolutely|okay|ok|alright|here(?:'s| is| are|’s)|i(?:'ve|’ve| have) |the (?:corrected|edited|revised|improved|final)\b|(?:corrected|edited|revised|improved|final) (?:draft|response|version|text|answer))[^\n]*?[:!\n]/i
const POSTSCRIPT =
  /\n\s*\**(?:note|notes|changes|changes made|explanation|i (?:changed|corrected|removed|added|made|have|kept))\b[^\n]*/i

/**
 * What stands between the tags, or the whole answer where there are none. White space at both ends is the draft's: an edit of it
 * alone is none. Preambles, postscripts, quotes and fences that the draft does not have make an answer chatty.
 */
export function readEditorReply(answer: string, draft: string): EditorReply {
  const tagged = readSection('final', answer)
  if (tagged === undefined && /<\/?final>/.test(answer))
    return { chatty: 'the tags <final> and </final> are not both there' }
  const text = (tagged ?? answer).trim()
  const was = draft.trim()
  const wrapped = (mark: RegExp) => mark.test(text) && !mark.test(was)
  if (wrapped(/^```[\s\S]*```$/)) return { chatty: 'it stands in a code fence' }
  if (wrapped(/^"[\s\S]*"$/) || wrapped(/^“[\s\S]*”$/) || wrapped(/^'[\s\S]*'$/))
    return { chatty: 'it stands in quotes' }
  if (wrapped(PREAMBLE)) return { chatty: 'it begins with a preamble' }
  if (wrapped(POSTSCRIPT)) return { chatty: 'it explains itself' }
  if (
    /<\/?(?:draft|instruction|preferred|reasons)>/.test(text) &&
    !/<\/?(?:draft|instruction|preferred|reasons)>/.test(was)
  )
    return { chatty: 'it repeats tags of the question' }
  const [lead] = /^\s*/.exec(draft)!
  const [trail] = was === '' ? [''] : /\s*$/.exec(draft)!
  return { final: text === '' ? '' : lead + text + trail }
}
