/** The files of a model folder that are neither config nor weights: tokenizer, chat templates, licence, … */

import { copyFileSync, existsSync, mkdirSync, readdirSync, realpathSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EmendError } from '../errors.js'

/** Weights in any format, and what speaks of them. */
const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|onnx|onnx_data|ot|gguf|ggml|npz|tflite|pkl|tmp)$|\.index\.json$|^adapter_config\.json$/
/** What a save writes itself. */
const OWN = new Set(['config.json', 'generation_config.json'])
/** Folders that belong to the tokenizer. */
const FOLDERS = new Set(['additional_chat_templates'])

/**
 * Copies every other file of the folder `from` into `to`: all but weights, `config.json` and `generation_config.json`.
 * Folders are left, except for chat templates; links are followed, as the hub's cache needs.
 * @throws EmendError when there is no such folder
 */
export function carryFiles(from: string, to: string): void {
  if (!existsSync(from) || !statSync(from).isDirectory()) {
    throw new EmendError(`${from}: no such folder, expected the one whose other files are carried over`)
  }
  mkdirSync(to, { recursive: true })
  if (realpathSync(from) === realpathSync(to)) return
  for (const name of readdirSync(from)) {
    const source = join(from, name)
    const kind = statSync(source)
    if (kind.isDirectory() && FOLDERS.has(name)) carryFiles(source, join(to, name))
    if (!kind.isFile() || OWN.has(name) || WEIGHTS.test(name)) continue
    const temporary = join(to, `${name}.${process.pid}.tmp`)
    copyFileSync(source, temporary)
    renameSync(temporary, join(to, name))
  }
}
