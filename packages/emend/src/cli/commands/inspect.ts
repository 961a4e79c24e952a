/** `emend inspect`: what a model is and what it needs. */
import { Command } from 'commander'
import type { ModelSummary } from '../../checkpoints/inspect.js'
import { type CommonOptions, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .helpGroup(groups.models)
    .description('what a model is and what memory it takes, without loading it')
    .argument('<model>', 'a Hugging Face folder, of an adapter too, a .gguf file, or the name of a pulled model')
  return withCommonOptions(command)
    .addHelpText('after', examples(['emend inspect model.gguf', 'architecture, size, context, memory at each stage']))
    .action(async (model: string, flags: CommonOptions) => {
      const { inspectModel } = await import('../../checkpoints/inspect.js')
      const { resolveModel } = await import('../../hub/resolve.js')
      const found = inspectModel(resolveModel(model))
      if (flags.json) return printJson(forMachines(found))
      await print(forPeople(found))
    })
}

function forMachines({ config, adapter, ...found }: ModelSummary) {
  const { weights, cachePerToken, stages } = found.memory
  const { tokenizer } = found
  return {
    ...(adapter && { adapter: { ...adapter.lora, base: adapter.base } }),
    architecture: found.architecture,
    parameters: found.parameters,
    dtype: found.dtype,
    vocab_size: found.vocabSize,
    context_length: found.contextLength,
    layers: config.layers,
    hidden_size: config.hiddenSize,
    tokenizer: tokenizer && {
      kind: tokenizer.kind,
      tokens: tokenizer.tokens,
      bos_token: tokenizer.bos,
      eos_token: tokenizer.eos,
      pad_token: tokenizer.pad,
      chat_template: tokenizer.chatTemplate,
    },
    memory: {
      weights,
      cache_per_token: cachePerToken,
      stages: stages.map(({ stage, estimate }) => ({ stage, ...estimate })),
    },
  }
}

function forPeople({ config, tokenizer, memory, adapter, ...found }: ModelSummary): string {
  const heads =
    config.heads === config.kvHeads ? `${config.heads} heads` : `${config.heads} heads, ${config.kvHeads} of keys`
  const special = [
    ['BOS', tokenizer?.bos],
    ['EOS', tokenizer?.eos],
    ['PAD', tokenizer?.pad],
  ]
    .filter(([, token]) => token != null)
    .map(([name, token]) => `${name} ${token}`)
  const facts = [
    ...(adapter
      ? [
          ['adapter', `rank ${adapter.lora.rank}, alpha ${adapter.lora.alpha}, on ${adapter.lora.targets.join(', ')}`],
          ['on', adapter.base],
        ]
      : []),
    ['architecture', found.architecture],
    ['parameters', found.parameters.toLocaleString('en-US')],
    ['stored as', found.dtype],
    ['shape', `${config.layers} layers, width ${config.hiddenSize}, ${heads}`],
    ['vocabulary', `${found.vocabSize.toLocaleString('en-US')} rows, ${config.tied ? 'tied' : 'untied'}`],
    ['context', `${found.contextLength.toLocaleString('en-US')} tokens`],
    [
      'tokenizer',
      tokenizer
        ? [
            `${tokenizer.kind}, ${tokenizer.tokens.toLocaleString('en-US')} tokens`,
            ...special,
            tokenizer.chatTemplate ? 'chat template' : 'no chat template',
          ].join(', ')
        : 'none',
    ],
    ['weights', `${sized(memory.weights.float32)} in float32, ${sized(memory.weights.bfloat16)} in bfloat16`],
    ['cache', `${sized(memory.cachePerToken.float32)} a token in float32`],
  ]
  return [...facts.map(([name, value]) => `${name!.padEnd(14)}${value}`), ...stageTable(memory.stages)].join('\n')
}

const UNITS = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
] as const

/** Bytes in the largest unit that leaves something before the point. */
function sized(bytes: number): string {
  const [unit, size] = UNITS.find(([, size]) => bytes >= size) ?? ['bytes', 1]
  return `${(bytes / size).toLocaleString('en-US', { maximumSignificantDigits: 4 })} ${unit}`
}

function stageTable(stages: ModelSummary['memory']['stages']): string[] {
  if (stages.length === 0) return []
  const columns = ['weights', 'gradients', 'optimizer', 'activations', 'logits', 'cache', 'total'] as const
  const [unit, size] = UNITS[stages.some(({ estimate }) => estimate.total >= 1e9) ? 0 : 1]
  const rows = stages.map(({ stage, estimate }) => [
    stage,
    ...columns.map(column => (estimate[column] / size).toFixed(2)),
  ])
  return ['', `${unit} at each stage, in float32, by estimate:`, table([['', ...columns], ...rows])]
}

/** Columns aligned: the first to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows
    .map(row => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n')
}
