/** `emend label`: draft/final pairs in, a line of token labels out for each. */

import { Command } from 'commander'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progress } from '../../progress.js'
import { type CommonOptions, withCommonOptions } from '../options.js'
import { examples, groups, printJson } from '../output.js'

interface LabelOptions extends CommonOptions {
  tokenizer: string
}

export function labelCommand(): Command {
  const command = new Command('label')
    .helpGroup(groups.data)
    .description("say which tokens of drafts and finals an edit changed, for anyone's trainer")
    .argument('<file>', 'JSON Lines of {draft, final, prompt?}; .gz is unpacked')
    .requiredOption('--tokenizer <path>', 'a tokenizer.json, or the folder that holds one')
    .option('--out <file>', 'write there instead of on stdout; the file is there whole or not at all')
    .addHelpText(
      'after',
      examples(
        [
          'emend label edits.jsonl --tokenizer gpt2/tokenizer.json',
          'a JSON line of edits, edit_ratio and tokens for each pair',
        ],
        ['emend label edits.jsonl.gz --tokenizer gpt2 --out labels.jsonl', 'the same, into a file'],
      ),
    )
  // The lines are JSON with and without --json: a line is the one result of a pair. Where they go into a file, --json tells of it.
  return withCommonOptions(command).action(async (file: string, options: LabelOptions) => {
    const { labelFile, Tokenizer } = await import('../../text/index.js')
    const tokenizer = await Tokenizer.load(options.tokenizer)
    const signal = interruptSignal()
    const line = progress('label', 0, 'pairs')
    process.stdout.on('error', () => {}) // the write that failed says so
    const report = await labelFile(file, tokenizer, {
      out: options.out ?? process.stdout,
      signal,
      // Live lines and results on one terminal would get into each other's way.
      ...((options.out || !process.stdout.isTTY) && { onPair: (done: number) => line.update(done) }),
    }).catch((error: NodeJS.ErrnoException) => {
      // `emend label … | head`: the reader has what it wanted.
      if (error.code !== 'EPIPE') throw error
    })
    if (!report) return
    const { pairs, meanEditRatio, repaired } = report
    const mended = repaired > 0 ? `; ${repaired} lone surrogates became U+FFFD` : ''
    if (pairs === 0) process.stderr.write(`emend: ${file}: 0 records, so there was nothing to label\n`)
    line.update(pairs)
    line.finish(`mean edit ratio ${meanEditRatio.toFixed(3)}${mended}`)
    if (options.out && options.json) await printJson({ out: options.out, pairs, edit_ratio: meanEditRatio, repaired })
  })
}
