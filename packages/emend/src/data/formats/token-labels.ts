/** Labels on the tokens of both sides, for anyone's trainer: ids, character ranges, whether the edit touches them. Write only. */

import { UsageError } from '../../errors.js'
import { labelPairs } from '../../text/labelled.js'
import type { EditEntry } from './entry.js'
import type { Format } from './format.js'

export const tokenLabels: Format = {
  name: 'token-labels',
  about: 'token ids, ranges and labels of both sides under --tokenizer, as emend label prints them',
  container: 'jsonl',
  carries: { edit: ['prompt', 'chat', 'draft', 'final', 'ops'] },
  async *writeAll(entries, { tokenizer }) {
    if (!tokenizer) throw new UsageError('token-labels needs --tokenizer FILE')
    const waiting: EditEntry[] = []
    async function* pairs() {
      for await (const entry of entries)
        if (entry.kind === 'edit') {
          waiting.push(entry)
          yield entry
        }
    }
    for await (const labels of labelPairs(pairs(), tokenizer)) {
      const { prompt, draft, final } = waiting.shift()!
      yield {
        tokenizer: tokenizer.fingerprint,
        prompt,
        edits: labels.edits,
        edit_ratio: labels.edit_ratio,
        draft: { text: draft, ...labels.draft },
        final: { text: final, ...labels.final },
      }
    }
  },
}
