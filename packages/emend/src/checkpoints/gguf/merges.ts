/** Merges of a SentencePiece vocabulary, which has scores instead: what the converter of Hugging Face derives from them. */

/**
 * Every pair of tokens that makes a token, best first: the score of what it makes, then the longer left part, then the
 * longer right part (`generate_merges` of transformers).
 * @param vocab token → id
 * @param scores token → score, of the tokens that merging may make
 */
export function mergesFromScores(
  vocab: ReadonlyMap<string, number>,
  scores: ReadonlyMap<string, number>,
): [left: string, right: string][] {
  const all: { left: string; right: string; score: number; leftLength: number; rightLength: number }[] = []
  for (const [token, score] of scores) {
    const pairs: [string, string][] = []
    // Halves of a surrogate pair are in no vocabulary.
    for (let cut = 1; cut < token.length; cut++) {
      const left = token.slice(0, cut)
      if (!vocab.has(left)) continue
      const right = token.slice(cut)
      if (vocab.has(right)) pairs.push([left, right])
    }
    pairs.sort((a, b) => vocab.get(a[0])! - vocab.get(b[0])! || vocab.get(a[1])! - vocab.get(b[1])!)
    for (const [left, right] of pairs)
      all.push({ left, right, score, leftLength: [...left].length, rightLength: [...right].length })
  }
  all.sort((a, b) => b.score - a.score || b.leftLength - a.leftLength || b.rightLength - a.rightLength)
  return all.map(({ left, right }) => [left, right])
}
