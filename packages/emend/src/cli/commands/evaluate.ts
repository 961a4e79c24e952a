/** `emend evaluate`: win rates of models by a judge or by judgements on file, and what a reward model is worth. */
import { Command, Option } from 'commander'
import { withChatModel } from '../chat-model.js'
import type { EvaluateFlags } from '../evaluation/flags.js'
import { workOf } from '../evaluation/usage.js'
import { positiveNumber, realNumber, withCommonOptions } from '../options.js'
import { examples, groups } from '../output.js'

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .helpGroup(groups.models)
    .description('win rate and its standard error, with the statistics of AlpacaEval; or what a reward model is worth')
    .option('--annotations <file>', 'judgements on file, as AlpacaEval writes them')
    .option('--against <file>', 'judgements of another model on the same prompts, to compare prompt by prompt')
    .option('--model-outputs <file>', "a model's outputs, {instruction, output, generator}")
    .option('--reference-outputs <file>', "the reference's outputs to the same instructions")
    .option('--model <dir>', "a model that answers now: the reference's instructions, or a world's test prompts")
    .option('--chat', "with --model and --reference-outputs: apply the model's chat template")
    .option('--temperature <t>', 'with --model: 0 is greedy', realNumber, 1)
    .option('--max-new-tokens <n>', 'with --model: longest reply', positiveNumber, 64)
    .option('--n <n>', 'with --model and --world: how many test prompts', positiveNumber, 805)
    .addOption(new Option('--judge <who>', 'who compares outputs').choices(['llm', 'reward', 'oracle']))
    .option('--both-orders', 'llm: ask in both orders; else the order is drawn by a hash of the instruction')
    .option('--dry-run', 'llm: estimate tokens and price, and ask nothing')
    .option('--world <name>', 'the embedded world whose oracle judges: concierge')
    .option('--reward <dir>', 'a reward model: the judge, or what is evaluated on --preferences or --edits')
    .option('--tokenizer <path>', 'with --reward: tokenizer.json, where the reward model has none beside it')
    .option('--preferences <file>', 'held-out pairs: JSON Lines of {prompt, chosen, rejected}')
    .option(
      '--edits <file>',
      'held-out edits: JSON Lines of {prompt, draft, final}; tells whether token rewards find them',
    )
    .option('--subset <column>', 'accuracy for each value of this column of the pairs')
    .option('--annotations-out <file>', 'write the judgements as AlpacaEval does')
    .option('--leaderboard <file>', 'add the row to this CSV, or replace it')
    .option('--name <name>', "the model's name in the leaderboard; default that of its outputs, or its folder")
    .option('--report <file>', 'write an HTML page to read the games side by side')
  return withCommonOptions(withChatModel(command, 'with --judge llm: who judges'), 'seed', 'device', 'threads')
    .addHelpText(
      'after',
      examples(
        ['emend evaluate --annotations annotations.json', 'statistics of existing judgements'],
        [
          'emend evaluate --annotations new.json --against old.json --report games.html',
          'two checkpoints on the same prompts, by a paired test, and a page to read them',
        ],
        [
          'emend evaluate --model-outputs new.json --reference-outputs ref.json --judge llm --both-orders \\\n      --llm openai-compatible:NAME --base-url http://127.0.0.1:8080/v1 --annotations-out judged.json',
          'a language model judges; run again, it asks only what it was not answered',
        ],
        ['emend evaluate --annotations judged.json --leaderboard leaderboard.csv', 'the row goes into a leaderboard'],
        ['emend evaluate --model runs/demo-1/arm-fg-ppo/model --world concierge', 'a policy in the embedded world'],
        [
          'emend evaluate --reward runs/reward/model --preferences held-out.jsonl --subset category',
          'accuracy of a reward model, for each category too',
        ],
      ),
    )
    .action(async (flags: EvaluateFlags, command: Command) => {
      const work = workOf(flags, command)
      if (work === 'pairs') {
        const { tellReward } = await import('../evaluation/reward.js')
        return tellReward(flags)
      }
      const { tellForecast, tellGames } = await import('../evaluation/told.js')
      const { dryRun, judgedGames, keptGames, worldGames } = await import('../evaluation/games.js')
      if (flags.dryRun) return tellForecast(await dryRun(flags), flags.json)
      const play = { annotations: keptGames, world: worldGames, outputs: judgedGames }[work]
      await tellGames(() => play(flags), flags)
    })
}
