/** `emend guard`: what a guard refuses of labelled prompts, rightly and falsely, and what it costs. */
import { Command } from 'commander'
import { DataError } from '../../errors.js'
import type { GuardReport, SaidOptions } from '../../guards/index.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progress } from '../../progress.js'
import { type ChatModelOptions, describeCalls, openCaller, pricesOf, withChatModel } from '../chat-model.js'
import { positiveNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { prefixOption, withSaid } from '../said.js'

interface Flags extends Omit<ChatModelOptions, 'maxTokens'> {
  prefix?: string[]
  turns: NonNullable<SaidOptions['turns']>
  unparsable: NonNullable<SaidOptions['unparsable']>
  segment: number
  parallel: number
}

export function guardCommand(): Command {
  const command = new Command('guard')
    .helpGroup(groups.models)
    .description('measure the guard SAID: harmful prompts refused, false refusals, added latency; see docs/guard.md')
    .argument('<file>', 'JSON Lines of {prompt, harmful: true or false, kind?}')
    .addOption(prefixOption('--prefix <names...>', 'guard: its safety prefix, or several to compare'))
    .option('--parallel <n>', 'prompts in hand at once; only one by one is latency measured truly', positiveNumber, 1)
  return withCommonOptions(withChatModel(withSaid(command, '--'), 'who guards', false), 'device', 'threads')
    .addHelpText(
      'after',
      examples(
        [
          'emend guard prompts.jsonl --llm openai-compatible:NAME --base-url http://127.0.0.1:8080/v1',
          'a model that `emend serve` runs',
        ],
        [
          'emend guard prompts.jsonl --llm local:model --prefix verdict-1 refusal-1 begun-1',
          'which safety prefix does best with a model, before it serves with --guard said',
        ],
      ),
    )
    .action(async (file: string, flags: Flags) => {
      const { describeGuard, measureGuard, readLabelledPrompts, SAFETY_PREFIXES, said } = await import(
        '../../guards/index.js'
      )
      const { prompts } = await readLabelledPrompts(file)
      if (prompts.length === 0) throw new DataError('no prompts; expected at least one record', { file })
      // How long an answer may be is a matter of each call, as it is where the guard serves.
      const { caller, store } = await openCaller({ ...flags, maxTokens: 1024 })
      using _ = store
      const { turns, unparsable, segment, parallel, prefix: prefixes = [SAFETY_PREFIXES[0]!.name] } = flags
      const reports: GuardReport[] = []
      for (const prefix of prefixes) {
        const line = progress(`guard ${prefix}`, prompts.length, 'prompts')
        const guard = said(caller, { prefix, turns, unparsable, segment, parallel: flags.concurrency })
        reports.push(
          await measureGuard(guard, prompts, { parallel, signal: interruptSignal(), onPrompt: n => line.update(n) }),
        )
        line.finish()
      }
      const calls = caller.summary()
      // Nobody answered: what the table holds then is what was refused without a call.
      if (calls.given_up > 0 && calls.answered + calls.cached === 0) process.exitCode = 1
      if (flags.json) return printJson({ reports, calls })
      const texts = reports.map(report => describeGuard(report))
      await print([...texts, describeCalls(calls, pricesOf(flags) !== undefined)].join('\n\n'))
    })
}
