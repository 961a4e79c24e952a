/** `emend convert`: models between Hugging Face folders and GGUF files. */
import { Command, Option } from 'commander'
import type { ModelFormat, StoredType } from '../../checkpoints/gguf/index.js'
import { type CommonOptions, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'

interface Flags extends CommonOptions {
  to?: ModelFormat
  type?: StoredType
}

export function convertCommand(): Command {
  const command = new Command('convert')
    .helpGroup(groups.models)
    .description('convert a model between a Hugging Face folder and a GGUF file')
    .argument('<source>', 'a Hugging Face folder, a .gguf file, or the name of a pulled model')
    .argument('<destination>', 'a folder, or a file that ends in .gguf')
    .addOption(new Option('--to <format>', "default by the destination's ending").choices(['hf', 'gguf']))
    .addOption(new Option('--type <type>', 'how numbers are stored').choices(['f32', 'f16', 'bf16', 'q8_0']))
  return withCommonOptions(command, 'threads')
    .addHelpText(
      'after',
      examples(
        ['emend convert model.Q4_K.gguf model', 'a folder for transformers and vLLM'],
        ['emend convert runs/ppo/model tuned.gguf --type q8_0', 'a file for llama.cpp and Ollama'],
      ),
    )
    .action(async (source: string, destination: string, flags: Flags) => {
      const { convertModel } = await import('../../checkpoints/gguf/index.js')
      if (flags.threads !== undefined) (await import('@emend/torch')).setNumThreads(flags.threads)
      const { to, type } = flags
      const { resolveModel } = await import('../../hub/resolve.js')
      const written = await convertModel(resolveModel(source), destination, {
        ...(to && { to }),
        ...(type && { type }),
      })
      if (flags.json) return printJson({ ...written, path: destination })
      await print(`${destination}: ${written.parameters.toLocaleString('en-US')} parameters as ${written.type}`)
    })
}
