/** `emend serve`: a model over HTTP, as OpenAI's API. */
import { Command } from 'commander'
import { UsageError } from '../../errors.js'
import { interruptSignal } from '../../pipeline/interrupt.js'
import { type CommonOptions, positiveNumber, wholeNumber, withCommonOptions } from '../options.js'
import { examples, groups, print, printJson } from '../output.js'
import { type GuardFlags, guardOption, withGuardOptions } from '../serve-guard.js'
import { deviceOption } from '../training.js'
import { tokenizerBeside } from './score.js'

interface Flags extends CommonOptions, GuardFlags {
  host: string
  port: number
  name?: string
  reward?: string
  maxRows: number
  queue: number
  grace: number
  apiKeyEnv?: string
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .helpGroup(groups.models)
    .description('a model over HTTP: the API of OpenAI, and token rewards at /v1/score')
    .argument('<model>', 'a Hugging Face folder with tokenizer.json, a GGUF file, or ORG/NAME that was pulled')
    .option('--host <address>', 'where to listen; by default this machine only', '127.0.0.1')
    .option('--port <n>', 'port; 0 takes any that is free', wholeNumber, 8080)
    .option('--name <model>', 'what requests call the model; default the last part of its path')
    .option('--reward <dir>', 'a reward model, for /v1/score')
    .option('--max-rows <n>', 'samples computed together', positiveNumber, 64)
    .option('--queue <n>', 'samples that wait; beyond them requests get 429', wholeNumber, 256)
    .option('--grace <seconds>', 'how long answers may go on after Ctrl-C', wholeNumber, 10)
    .option('--api-key-env <name>', 'the environment variable with the key that requests must carry')
  return withCommonOptions(withGuardOptions(command), 'device', 'threads')
    .addHelpText(
      'after',
      examples(
        ['emend serve runs/ppo/model', 'then any client of the OpenAI API with base URL http://127.0.0.1:8080/v1'],
        [
          'emend serve runs/ppo/model --reward runs/reward/model --port 0 --json',
          'one line when it is ready: {url, model}',
        ],
        ['emend serve runs/ppo/model --guard said', 'the model itself is asked first whether a request is harmful'],
      ),
    )
    .action(async (path: string, flags: Flags, command: Command) => {
      const apiKey = flags.apiKeyEnv === undefined ? undefined : keyFrom(flags.apiKeyEnv)
      const { isLoopback, serve } = await import('../../server/index.js')
      const { Tokenizer } = await import('../../text/index.js')
      const { host, port, maxRows, queue, name, reward, threads } = flags
      const signal = interruptSignal()
      const guard = await guardOption(flags, command)
      const server = await serve({
        model: path,
        ...{ host, port, maxRows, queue },
        ...deviceOption(flags),
        ...(name === undefined ? {} : { name }),
        ...(threads === undefined ? {} : { threads }),
        ...(apiKey === undefined ? {} : { apiKey }),
        ...(guard && { guard }),
        ...(reward === undefined
          ? {}
          : { reward: { folder: reward, tokenizer: await Tokenizer.load(tokenizerBeside(reward)) } }),
      })
      // Whatever ends this, a server that is left listening would keep the process.
      try {
        if (flags.json) await printJson({ url: server.url, model: server.model })
        else await print(`${server.model} is served at ${server.url}/v1; Ctrl-C stops it`)
        if (!isLoopback(host) && apiKey === undefined)
          process.stderr.write('emend: whoever reaches this address can use it; --api-key-env asks for a key\n')
        const stopped = new Promise<void>(resolve => {
          if (signal.aborted) resolve()
          signal.addEventListener('abort', () => resolve(), { once: true })
        })
        await Promise.race([stopped, server.ended])
      } finally {
        await server.close(flags.grace * 1000)
      }
    })
}

function keyFrom(name: string): string {
  const key = process.env[name]
  if (!key) throw new UsageError(`--api-key-env ${name}: the environment has no such variable, or it is empty`)
  return key
}
