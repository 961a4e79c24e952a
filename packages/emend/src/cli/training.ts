/** What the training commands share: options → a typed config, a seeded and watched run, a saved model. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { z } from 'zod'
import { UsageError } from '../errors.js'
import type { LanguageModel } from '../language-model.js'
import { makeFolder, writeAtomically } from '../pipeline/atomic-file.js'
import { describeConfig, loadConfig } from '../pipeline/config.js'
import { fingerprint } from '../pipeline/fingerprint.js'
import { interruptSignal } from '../pipeline/interrupt.js'
import { lockStage } from '../pipeline/stage-lock.js'
import { progress, reporting, say } from '../progress.js'
import type { LoraSetting } from '../training/settings.js'
import { type CommonOptions, type ConfigOptions, withCommonOptions, withConfigOptions } from './options.js'
import { print, printJson } from './output.js'

export type TrainingFlags = CommonOptions & ConfigOptions & { model: string; out: string; config?: string }

/** Adds what every training command takes. */
export function withTrainingOptions(command: Command): Command {
  command
    .requiredOption(
      '--model <model>',
      'what to start from: a Hugging Face folder with tokenizer.json, a GGUF file, or what was pulled',
    )
    .requiredOption('--out <dir>', 'the run: config.yaml, metrics.jsonl, checkpoints/, model/')
    .option('--config <file>', 'settings as YAML; see --print-config')
  return withConfigOptions(withCommonOptions(command, 'seed', 'device', 'threads'), 'learning_rate=1e-4')
}

/** The command's settings; with --print-config they are printed and undefined comes back. */
export async function settings<S extends z.ZodType>(
  schema: S,
  flags: ConfigOptions & { config?: string },
): Promise<z.output<S> | undefined> {
  const { config } = loadConfig(schema, flags.config, flags.set)
  if (!flags.printConfig) return config
  await print(describeConfig(schema, config))
  return undefined
}

/**
 * Begins or resumes a run in `--out`: a folder begun with other settings or other inputs is refused, never mixed.
 *
 * @param inputs what decides the result besides the settings: paths of models and data
 */
export async function beginRun(
  schema: z.ZodType,
  config: unknown,
  flags: TrainingFlags,
  label: string,
  inputs: readonly string[],
) {
  const { seed = 1, out } = flags
  for (const input of inputs)
    if (!existsSync(input)) throw new UsageError(`${input}: no such file or folder; check the path`)
  const print = fingerprint({ config, seed, label }, inputs, out)
  const begun = join(out, 'run.json')
  // A start that failed before its first step left nothing worth keeping.
  if (existsSync(begun) && existsSync(join(out, 'checkpoints')) && fingerprintIn(begun) !== print) {
    throw new UsageError(`${out} holds a run with other settings or data; choose another --out, or remove it`)
  }
  try {
    makeFolder(out)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new UsageError(`--out ${out}: cannot be made a folder (${code}); choose another`, { cause })
  }
  const unlock = await lockStage(out, 0)
  process.once('exit', unlock)
  // A run that goes on keeps what it found for itself, which stands there.
  if (fingerprintIn(begun) !== print || !existsSync(join(out, 'config.yaml')))
    writeAtomically(join(out, 'config.yaml'), describeConfig(schema, config))
  writeAtomically(begun, `${JSON.stringify({ command: label, seed, fingerprint: print })}\n`)
  if (flags.threads !== undefined) (await import('@emend/torch')).setNumThreads(flags.threads)
  return {
    seed,
    folder: out,
    signal: interruptSignal(),
    onLine: say,
    onProgress: reporting(total => progress(label, total, 'step')),
  }
}

/** Writes a trained model into `out`/model; an adapter there, and merged into the weights in `out`/merged if asked. */
export async function saveTrained(
  model: LanguageModel,
  { lora }: { readonly lora: LoraSetting },
  out: string,
): Promise<string> {
  const folder = join(out, 'model')
  await model.save(folder)
  if (lora?.merge) await model.clone().save(join(out, 'merged'))
  return folder
}

function fingerprintIn(path: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { fingerprint?: string } | null)?.fingerprint
  } catch {
    return undefined
  }
}

/** Says where the result is: one JSON object, or a line. */
export async function report(flags: CommonOptions, result: Readonly<Record<string, unknown>>): Promise<void> {
  if (flags.json) return printJson(result)
  await print(
    Object.entries(result)
      .map(([key, value]) => `${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`)
      .join('\n'),
  )
}

/** Device as the engine names it. */
export const deviceOption = (flags: CommonOptions) => (flags.device ? { device: flags.device as 'cpu' } : {})
