/** Weights of a Hugging Face folder: found, held against the config before memory is taken, read; written in shards. */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  type DType,
  type nn,
  noGrad,
  readSafetensors,
  readSafetensorsHeader,
  scope,
  type Tensor,
  torch,
  writeSafetensors,
} from '@emend/torch'
import { EmendError } from '../errors.js'
import type { DecoderConfig } from '../models/config.js'
import { type Family, familyOf, type ModelKind, type StoredTensor } from '../models/families/index.js'
import { tensorShapes } from '../models/shapes.js'
import { writeAtomically } from '../pipeline/atomic-file.js'
import { readJson } from './json-file.js'

const SINGLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'
const OURS = /^model(-\d{5}-of-\d{5})?\.safetensors$/

/** A tensor in a file, of which only the header has been read. */
export interface WeightEntry {
  readonly file: string
  readonly dtype: DType
  readonly shape: readonly number[]
}

/**
 * What the weight files of a folder hold, by name: one file, or the shards that an index names. Reads headers only.
 * @throws EmendError naming the file that is missing, corrupt, or not what the index says
 */
export function readWeightHeaders(folder: string): Map<string, WeightEntry> {
  if (existsSync(join(folder, SINGLE))) return headerOf(join(folder, SINGLE))
  const index = join(folder, INDEX)
  if (!existsSync(index)) {
    const other = readdirSync(folder).find(name => /\.(bin|pt|pth|h5|msgpack)$/.test(name))
    const hint = other ? ` (${other} is not read: save it as safetensors by transformers' save_pretrained)` : ''
    throw new EmendError(`${folder}: neither ${SINGLE} nor ${INDEX} is there${hint}`)
  }
  const map = (readJson(index) as Record<string, unknown> | null)?.['weight_map']
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new EmendError(`${index}: weight_map: expected an object`)
  }
  const listed = new Map<string, unknown>(Object.entries(map))
  const entries = new Map<string, WeightEntry>()
  for (const file of new Set(listed.values())) {
    if (typeof file !== 'string' || file !== basename(file) || file.includes('\\')) {
      throw new EmendError(`${index}: weight_map: got ${JSON.stringify(file)}, expected the name of a file beside it`)
    }
    const path = join(folder, file)
    if (!existsSync(path)) throw new EmendError(`${index}: names ${file}, which is not there`)
    for (const [name, entry] of headerOf(path)) {
      if (listed.get(name) === file) entries.set(name, entry)
      else {
        const where = listed.has(name) ? `in ${listed.get(name)}` : 'nowhere'
        throw new EmendError(`${path}: holds ${name}, which ${INDEX} lists ${where}`)
      }
    }
  }
  const absent = [...listed].find(([name]) => !entries.has(name))
  if (absent) throw new EmendError(`${index}: lists ${absent[0]} in ${absent[1]}, which does not hold it`)
  return entries
}

function headerOf(file: string): Map<string, WeightEntry> {
  try {
    const { entries } = readSafetensorsHeader(file)
    return new Map(entries.map(({ name, dtype, shape }) => [name, { file, dtype, shape }]))
  } catch (cause) {
    throw new EmendError((cause as Error).message, { cause })
  }
}

/** The dtype of most of the numbers: what `dtype: 'auto'` means. */
export function storedDtype(entries: ReadonlyMap<string, WeightEntry>): DType {
  const elements = new Map<DType, number>()
  for (const { dtype, shape } of entries.values()) {
    if (FLOATS.includes(dtype)) elements.set(dtype, (elements.get(dtype) ?? 0) + shape.reduce((n, size) => n * size, 1))
  }
  return [...elements].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'float32'
}

const FLOATS: readonly DType[] = ['float32', 'bfloat16', 'float16', 'float64']
const BYTES: Readonly<Partial<Record<DType, number>>> = { float64: 8, float32: 4, bfloat16: 2, float16: 2 }

/** Where each tensor of a model stands in the files, by our name. */
export type Placement = ReadonlyMap<string, StoredTensor>

/** Problems named before the rest is only counted; a config that lies may have thousands. */
const NAMED = 8

/**
 * Holds the config against what the files hold, before a model is made.
 * @param where the folder, for messages
 * @throws EmendError naming tensors that are missing, unexpected, of another shape, or no floating-point numbers
 */
export function placeWeights(
  entries: ReadonlyMap<string, WeightEntry>,
  config: DecoderConfig,
  kind: ModelKind,
  where: string,
): Placement {
  const family = familyOf(config.family, where)
  const bare = withoutPrefix(entries, family)
  const placement = new Map<string, StoredTensor>()
  const used = new Set<string>()
  const missing: string[] = []
  const wrong: string[] = []
  for (const [ours, shape] of tensorShapes(config, kind === 'causal' ? 'vocabulary' : 'scalar')) {
    const meant = family.stored?.(ours) ?? { name: ours }
    const stored = { ...meant, name: bare(meant.name) }
    const entry = entries.get(stored.name)
    const expected = storedShape(shape, stored)
    if (!entry) missing.push(stored.name)
    else if (entry.shape.join() !== expected.join()) {
      wrong.push(`${stored.name}: got shape [${entry.shape}], expected [${expected}]`)
    } else if (!FLOATS.includes(entry.dtype)) {
      wrong.push(`${stored.name}: got ${entry.dtype}, expected one of ${FLOATS.join(', ')}`)
    }
    placement.set(ours, stored)
    used.add(stored.name)
    if (missing.length + wrong.length > NAMED) break
  }
  const problems: string[] = []
  if (missing.length > 0) problems.push(`missing ${list(missing)}`)
  if (missing.length + wrong.length <= NAMED) {
    const tiedHead = (name: string) => config.tied && kind === 'causal' && name === LM_HEAD
    const extra = [...entries.keys()].filter(name => !used.has(name) && !family.idle?.(name) && !tiedHead(name))
    if (extra.length > 0) problems.push(`unexpected ${list(extra)}`)
  }
  problems.push(...new Set(wrong))
  if (problems.length > 0) throw new EmendError(`${where}: the weights do not fit config.json: ${problems.join('; ')}`)
  return placement
}

const LM_HEAD = 'lm_head.weight'

/** Some files (OpenAI's GPT-2) are of the trunk alone: its names lack what they begin with inside a model. */
function withoutPrefix(entries: ReadonlyMap<string, WeightEntry>, family: Family): (name: string) => string {
  const table = (family.stored?.('model.embed_tokens.weight') ?? { name: 'model.embed_tokens.weight' }).name
  const prefix = table.slice(0, table.indexOf('.') + 1)
  const bare = !entries.has(table) && entries.has(table.slice(prefix.length))
  return name => (bare && name.startsWith(prefix) ? name.slice(prefix.length) : name)
}

function storedShape(shape: readonly number[], { transposed, parts = 1 }: StoredTensor): number[] {
  const joined = [shape[0]! * parts, ...shape.slice(1)]
  return transposed ? joined.reverse() : joined
}

const list = (names: readonly string[]): string =>
  names.length <= NAMED ? names.join(', ') : `${names.slice(0, NAMED).join(', ')} and more`

/**
 * Copies the files' tensors into the model's, file by file, converting dtype and device.
 * @param placement from `placeWeights`
 * @throws EmendError when tied embeddings stand beside another vocabulary projection
 */
export function copyWeights(entries: ReadonlyMap<string, WeightEntry>, placement: Placement, model: nn.Module): void {
  const parameters = model.stateDict()
  const byFile = new Map<string, string[]>()
  for (const [ours, { name }] of placement) {
    const { file } = entries.get(name)!
    const names = byFile.get(file)
    if (names) names.push(ours)
    else byFile.set(file, [ours])
  }
  for (const [file, names] of byFile) {
    withTensors(file, tensors => {
      for (const ours of names) {
        const stored = placement.get(ours)!
        parameters.get(ours)!.copy_(partOf(tensors.get(stored.name)!, stored))
      }
    })
  }
  const head = entries.get(LM_HEAD)
  if (!head || placement.has(LM_HEAD)) return
  const table = parameters.get('model.embed_tokens.weight')!
  withTensors(head.file, tensors => {
    if (table.equal(tensors.get(LM_HEAD)!.to(table.dtype).to(table.device))) return
    throw new EmendError(
      `${head.file}: ${LM_HEAD} differs from the embeddings, but config.json says tie_word_embeddings: set it to false`,
    )
  })
}

function withTensors(file: string, use: (tensors: ReadonlyMap<string, Tensor>) => void): void {
  scope(() => noGrad(() => use(readSafetensors(file).tensors)))
}

function partOf(tensor: Tensor, { transposed, part, parts = 1 }: StoredTensor): Tensor {
  const rows = transposed ? tensor.t() : tensor
  if (part === undefined) return rows
  const size = rows.shape[0]! / parts
  return rows.narrow(0, part * size, size)
}

/**
 * Writes the weights as transformers names and lays them out, in files of at most `maxShardBytes` (a larger tensor stands
 * alone) with an index where there are several; files of an earlier save are removed.
 * @throws EmendError when the model holds tensors that its config does not tell of, such as an adapter's
 */
export function writeWeights(
  folder: string,
  model: nn.Module & { readonly config: DecoderConfig },
  kind: ModelKind,
  options: { readonly maxShardBytes: number; readonly dtype: DType },
): void {
  const { config } = model
  const family = familyOf(config.family, 'decoder config')
  const parameters = model.stateDict()
  const files = new Map<string, { parts: Tensor[]; transposed: boolean }>()
  const known = new Set<string>()
  for (const [ours] of tensorShapes(config, kind === 'causal' ? 'vocabulary' : 'scalar')) {
    const { name, transposed = false } = family.stored?.(ours) ?? { name: ours }
    const whole = files.get(name) ?? { parts: [], transposed }
    // The parts of a joined tensor come in their order: the state dict has q, k, v.
    whole.parts.push(parameters.get(ours)!)
    files.set(name, whole)
    known.add(ours)
  }
  const unknown = [...parameters.keys()].filter(name => !known.has(name))
  if (unknown.length > 0) {
    throw new EmendError(`${folder}: cannot save ${list(unknown)}: merge the adapter first, or save it as an adapter`)
  }
  const width = BYTES[options.dtype]
  if (width === undefined) throw new EmendError(`${folder}: cannot save weights as ${options.dtype}`)
  const sizes = [...files].map(
    ([name, { parts }]) => [name, parts.reduce((sum, { numel }) => sum + numel * width, 0)] as const,
  )
  const shards = groupBySize(sizes, options.maxShardBytes)
  const fileName = (i: number) =>
    shards.length === 1 ? SINGLE : `model-${pad(i + 1)}-of-${pad(shards.length)}.safetensors`
  const map: Record<string, string> = {}
  for (const [i, names] of shards.entries()) {
    scope(() =>
      noGrad(() => {
        const tensors = new Map(
          names.map(name => {
            const { parts, transposed } = files.get(name)!
            const joined = parts.length === 1 ? parts[0]! : torch.cat(parts, 0)
            return [name, (transposed ? joined.t() : joined).to(options.dtype)]
          }),
        )
        writeSafetensors(join(folder, fileName(i)), tensors, { format: 'pt' })
      }),
    )
    for (const name of names) map[name] = fileName(i)
  }
  if (shards.length > 1) {
    const total_size = sizes.reduce((sum, [, bytes]) => sum + bytes, 0)
    const weight_map = Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))
    writeAtomically(join(folder, INDEX), `${JSON.stringify({ metadata: { total_size }, weight_map }, null, 2)}\n`)
  }
  const written = new Set(Object.values(map))
  for (const name of readdirSync(folder)) {
    const stale = OURS.test(name) ? !written.has(name) : name === INDEX && shards.length === 1
    if (stale) rmSync(join(folder, name))
  }
}

/** Names in groups of at most `limit` bytes, in order; one that is larger stands alone. */
function groupBySize(sizes: readonly (readonly [string, number])[], limit: number): string[][] {
  const groups: string[][] = []
  let room = 0
  for (const [name, bytes] of sizes) {
    if (groups.length === 0 || bytes > room) {
      groups.push([])
      room = limit
    }
    groups.at(-1)!.push(name)
    room -= bytes
  }
  return groups
}

const pad = (n: number): string => String(n).padStart(5, '0')
