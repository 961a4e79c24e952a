// How long labelling takes as a record grows: word diff, tokenizing, labels. Run after `npm run build`:
//   node benchmarks/label.mjs [tokenizer.json or its folder]
import { diffTexts, labelTokens } from '@emend/edits'
import { Tokenizer, trainTokenizer } from 'emend/text'

const LENGTHS = [10_000, 100_000, 1_000_000]
const EDIT_EVERY = [10_000, 200, 20]
const words = Array.from({ length: 3000 }, (_, i) => `w${i.toString(36)}`)

/** About `length` characters; every so many words one is edited. The same words for every `every`. */
function textOf(length, every) {
  const parts = []
  for (let i = 0, size = 0, state = 7; size < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    const word = words[(state >>> 8) % words.length]
    parts.push(i % every === every - 1 ? `edited${i}` : word)
    size += word.length + 1
  }
  return parts.join(' ')
}

async function milliseconds(work) {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 3; i++) {
    const start = performance.now()
    await work()
    best = Math.min(best, performance.now() - start)
  }
  return best
}

const path = process.argv[2]
const tokenizer = path ? await Tokenizer.load(path) : await trainTokenizer([textOf(200_000, 50)], { vocabSize: 2000 })
const rows = []
for (const every of EDIT_EVERY) {
  for (const length of LENGTHS) {
    const [draft, final] = [textOf(length, Number.POSITIVE_INFINITY), textOf(length, every)]
    const ops = diffTexts(draft, final)
    const [draftTokens, finalTokens] = await tokenizer.encodeBatch([draft, final])
    const diff = await milliseconds(() => diffTexts(draft, final))
    const encode = await milliseconds(() => tokenizer.encodeBatch([draft, final]))
    const label = await milliseconds(() => labelTokens(ops, draftTokens, finalTokens))
    rows.push({
      characters: draft.length,
      'one word edited in': every,
      operations: ops.length,
      'diff ms': Math.round(diff),
      'encode ms': Math.round(encode),
      'label ms': Math.round(label),
      'µs per character': Number(((1000 * (diff + encode + label)) / (draft.length + final.length)).toFixed(2)),
    })
  }
}
console.table(rows)
