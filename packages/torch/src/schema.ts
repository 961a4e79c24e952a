/** Reads operator schemas as libtorch prints them: `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`. */

/** What an argument or a result is, by its schema's real type. */
export type Kind =
  | 'tensor'
  | 'tensors'
  | 'optional tensors'
  | 'int'
  | 'ints'
  | 'float'
  | 'floats'
  | 'bool'
  | 'bools'
  | 'scalar'
  | 'scalars'
  | 'string'
  | 'dtype'
  | 'memory format'
  | 'device'
  | 'unsupported'

export interface SchemaArgument {
  readonly name: string
  readonly kind: Kind
  readonly optional: boolean
  /** Of a list whose length the schema gives (`int[2]`); 0 otherwise. One number then stands for all. */
  readonly length: number
  /** As written, or null when the argument must be given. */
  readonly fallback: string | null
  readonly keywordOnly: boolean
  /** Whether the operator writes to it. */
  readonly written: boolean
}

export interface SchemaResult {
  readonly name: string | null
  readonly kind: Kind
}

export interface Schema {
  readonly name: string
  readonly overload: string
  readonly arguments: readonly SchemaArgument[]
  readonly results: readonly SchemaResult[]
}

const scalarKinds: Readonly<Record<string, Kind>> = {
  Tensor: 'tensor',
  int: 'int',
  SymInt: 'int',
  float: 'float',
  SymFloat: 'float',
  bool: 'bool',
  SymBool: 'bool',
  Scalar: 'scalar',
  number: 'scalar',
  str: 'string',
  ScalarType: 'dtype',
  MemoryFormat: 'memory format',
  Device: 'device',
}
const listKinds: Readonly<Record<string, Kind>> = {
  Tensor: 'tensors',
  'Tensor?': 'optional tensors',
  int: 'ints',
  SymInt: 'ints',
  float: 'floats',
  bool: 'bools',
  Scalar: 'scalars',
  'Scalar?': 'scalars',
}

/** Parses one schema. Throws when the text is not one. */
export function parseSchema(text: string): Schema {
  const open = text.indexOf('(')
  const arrow = text.lastIndexOf(') -> ')
  if (open < 0 || arrow < open) throw new Error(`not an operator schema: ${text}`)
  const [name = '', overload = ''] = text.slice(0, open).split('.')
  let keywordOnly = false
  const args: SchemaArgument[] = []
  for (const part of split(text.slice(open + 1, arrow))) {
    if (part === '*') keywordOnly = true
    else args.push({ ...parseArgument(part), keywordOnly })
  }
  const returns = text.slice(arrow + 5)
  const list = returns.startsWith('(') ? split(returns.slice(1, -1)) : [returns]
  return { name, overload, arguments: args, results: list.map(parseResult) }
}

/** Splits at commas that are not inside brackets or quotes. */
function split(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let quote = ''
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (quote) {
      if (c === quote) quote = ''
    } else if (c === '"' || c === "'") quote = c
    else if (c === '(' || c === '[') depth++
    else if (c === ')' || c === ']') depth--
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(from, i).trim())
      from = i + 1
    }
  }
  const last = text.slice(from).trim()
  return last ? [...parts, last] : parts
}

/** `Tensor(a!)[]? name=default` in its parts. */
function parseArgument(text: string): Omit<SchemaArgument, 'keywordOnly'> {
  const written = /\([a-z|]*!/.test(text.split('=')[0]!)
  const plain = text.replace(/^([A-Za-z]+)\([^)]*\)/, '$1')
  const match = /^([A-Za-z]+\??(?:\[\d*\])?\??)\s+(\w+)(?:=(.*))?$/.exec(plain)
  if (!match) throw new Error(`not a schema argument: ${text}`)
  return { name: match[2]!, fallback: match[3] ?? null, written, ...parseType(match[1]!) }
}

function parseResult(text: string): SchemaResult {
  const plain = text.replace(/\([^)]*\)/, '')
  const [type = '', name] = plain.split(' ')
  return { name: name ?? null, kind: parseType(type).kind }
}

function parseType(text: string): { kind: Kind; optional: boolean; length: number } {
  const list = /^(\w+\??)\[(\d*)\](\?)?$/.exec(text)
  if (list)
    return { kind: listKinds[list[1]!] ?? 'unsupported', optional: list[3] === '?', length: Number(list[2] || 0) }
  const optional = text.endsWith('?')
  return { kind: scalarKinds[optional ? text.slice(0, -1) : text] ?? 'unsupported', optional, length: 0 }
}
