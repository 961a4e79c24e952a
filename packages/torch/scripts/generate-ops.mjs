// Writes src/ops.generated.ts from torchgen's native_functions.yaml: types of every public operator, and a table of names.
//   node packages/torch/scripts/generate-ops.mjs [path/to/native_functions.yaml]
// Needs `npx tsc -b` first: it reads schemas with the library's own parser.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSchema } from '../dist/schema.js'
import { refusal } from './public-surface.mjs'

const folder = dirname(dirname(fileURLToPath(import.meta.url)))

function findYaml() {
  if (process.argv[2]) return process.argv[2]
  const script = 'import importlib.util as u; print(u.find_spec("torchgen").submodule_search_locations[0])'
  const python = process.env.VIRTUAL_ENV ? join(process.env.VIRTUAL_ENV, 'bin', 'python') : 'python3'
  const answer = spawnSync(python, ['-c', script], { encoding: 'utf8' })
  if (answer.status !== 0) throw new Error(`${python} has no torchgen; give the path of native_functions.yaml`)
  return join(answer.stdout.trim(), 'packaged', 'ATen', 'native', 'native_functions.yaml')
}

/** The entries' `func` and `variants`; the file is regular enough to be read line by line. */
function readEntries(text) {
  const entries = []
  for (const line of text.split('\n')) {
    const func = /^- func: (.*)$/.exec(line)
    if (func) entries.push({ schema: parseSchema(func[1]), variants: 'function' })
    const variants = /^ {2}variants: (.*)$/.exec(line)
    if (variants) entries.at(-1).variants = variants[1]
  }
  return entries
}

const types = {
  tensor: 'Tensor',
  tensors: 'readonly Tensor[]',
  'optional tensors': 'readonly (Tensor | null)[]',
  int: 'number',
  ints: 'readonly number[]',
  float: 'number',
  floats: 'readonly number[]',
  bool: 'boolean',
  bools: 'readonly boolean[]',
  scalar: 'Scalar',
  scalars: 'readonly number[]',
  string: 'string',
  dtype: 'DType',
  device: 'Device',
  'memory format': 'MemoryFormat',
}
const resultTypes = { ...types, tensors: 'Tensor[]', scalar: 'number', ints: 'number[]' }

function typeOf(a) {
  let type = a.name === 'reduction' && a.kind === 'int' ? 'Reduction' : types[a.kind]
  if (a.kind === 'ints' && a.length > 0) type = `number | ${type}`
  return a.optional ? `${type} | null` : type
}

function resultOf(schema) {
  const list = schema.results.map(r => resultTypes[r.kind])
  if (list.length === 0) return 'void'
  if (list.length === 1) return list[0]
  if (schema.results[0].name === null) return `[${list.join(', ')}]`
  return `{ ${schema.results.map((r, i) => `${r.name}: ${list[i]}`).join('; ')} }`
}

/** Positional arguments then options; and, where some have defaults, the required ones then all others as options. */
function signatures(schema, asMethod) {
  const args = schema.arguments.filter(a => a.kind !== 'unsupported' && !(asMethod && a.name === 'self'))
  const positional = args.filter(a => !a.keywordOnly)
  const required = positional.filter(a => a.fallback === null)
  const option = a => `${a.name}${a.fallback === null ? '' : '?'}: ${typeOf(a)}`
  const options = list =>
    list.length ? [`o${list.some(a => a.fallback === null) ? '' : '?'}: { ${list.map(option).join('; ')} }`] : []
  const all = [...positional.map(option), ...options(args.filter(a => a.keywordOnly))].join(', ')
  const few = [...required.map(option), ...options(args.filter(a => !required.includes(a)))].join(', ')
  // An option that must be given cannot follow positional arguments that may be left out.
  const valid = !/\?: [^{]*, o: /.test(all)
  return [...new Set([...(valid ? [all] : []), ...(positional.length > required.length || !valid ? [few] : [])])]
}

const entries = readEntries(readFileSync(findYaml(), 'utf8'))
const unsafe = [
  ...readFileSync(join(folder, 'src', 'unsafe-operators.ts'), 'utf8').matchAll(/^\s+'?([\w.]+)'?:\s*(?:['"`]|$)/gm),
].map(m => m[1])
const functions = new Map()
const methods = new Map()
for (const { schema, variants } of entries) {
  if (refusal(schema, unsafe) !== null) continue
  for (const [variant, map] of [
    ['function', functions],
    ['method', methods],
  ]) {
    if (!variants.includes(variant) || refusal(schema, unsafe, variant) !== null) continue
    if (!map.has(schema.name)) map.set(schema.name, [])
    map.get(schema.name).push(schema)
  }
}

function members(map, asMethod) {
  const lines = []
  for (const name of [...map.keys()].sort()) {
    for (const schema of map.get(name)) {
      for (const signature of signatures(schema, asMethod)) lines.push(`  ${name}(${signature}): ${resultOf(schema)}`)
    }
  }
  return [...new Set(lines)].join('\n')
}

const overloads = (map, name) =>
  map
    .get(name)
    ?.map(s => s.overload || '_')
    .join(',') ?? '-'
const names = [...new Set([...functions.keys(), ...methods.keys()])].sort()
const table = names.map(name => `${name} ${overloads(functions, name)} ${overloads(methods, name)}`).join('\n')

writeFileSync(
  join(folder, 'src', 'ops.generated.ts'),
  `// Generated by scripts/generate-ops.mjs from PyTorch's native_functions.yaml. Do not edit.
import type { Device } from './device.js'
import type { DType } from './dtype.js'
import type { Tensor } from './tensor.js'

/** A number or boolean beside a tensor; whole numbers stay integers. */
export type Scalar = number | boolean
export type MemoryFormat = 'contiguous_format' | 'preserve_format' | 'channels_last' | 'channels_last_3d'
/** How a loss is gathered; the numbers are at::Reduction's. */
export type Reduction = 'none' | 'mean' | 'sum' | 0 | 1 | 2

/** The functions of \`torch\`. */
export interface TorchOperators {
${members(functions, false)}
}

/** The methods of Tensor. */
export interface TensorOperators {
${members(methods, true)}
}

/** Name, overloads as function, overloads as method; \`_\` is the overload without a name, \`-\` none. */
export const table = \`${table}\`
`,
)
console.error(`${functions.size} functions, ${methods.size} methods`)
