/** `emend pull`: a model from a hub. */
import { Command } from 'commander'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { progress } from '../../progress.js'
import { type CommonOptions, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'

interface Flags extends CommonOptions {
  revision?: string
  include: string[]
  endpoint?: string
}

const MIB = 2 ** 20

export function pullCommand(): Command {
  const command = new Command('pull')
    .helpGroup(groups.models)
    .description('fetch a model from a hub into the cache; its name is then a model for every command')
    .argument('<model>', 'ORG/NAME')
    .option('--revision <name>', 'branch, tag or commit; default main')
    .option('--include <glob>', 'other files than Emend reads by default, such as *.gguf; again for more', collect, [])
    .option('--endpoint <url>', 'another hub; default HF_ENDPOINT')
    .option('--out <dir>', 'copy the files there, too')
    .addHelpText(
      'after',
      examples(
        ['emend pull HuggingFaceTB/SmolLM2-135M-Instruct', 'weights, tokenizer and template; resumed if cut off'],
        ['emend pull Qwen/Qwen2.5-0.5B-Instruct-GGUF --include "*q8_0.gguf"', 'one file'],
        ['HF_TOKEN=… emend pull meta-llama/Llama-3.2-1B --revision main', 'a model that asks for a token'],
      ),
    )
  return withCommonOptions(command).action(async (model: string, flags: Flags) => {
    const { pull } = await import('../../hub/index.js')
    let line: ReturnType<typeof progress> | undefined
    const pulled = await pull(model, {
      ...(flags.revision && { revision: flags.revision }),
      ...(flags.include.length > 0 && { include: flags.include }),
      ...(flags.endpoint && { endpoint: flags.endpoint }),
      ...(flags.out && { out: flags.out }),
      signal: interruptSignal(),
      onProgress(done, total, file) {
        line ??= progress('pull', total / MIB, 'MiB')
        line.update(done / MIB, file)
      },
    })
    line?.finish(`${pulled.files.length} files`)
    if (flags.json) return printJson(pulled)
    await print(`${pulled.repository} at commit ${pulled.commit}\n${pulled.folder}`)
  })
}

const collect = (value: string, before: string[]) => [...before, value]
