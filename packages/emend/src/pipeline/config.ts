/** Configs: YAML in, typed by a zod schema, every mistake named with its key, file and line. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${NAME} is what a config writes

import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  Document,
  isMap,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  Scalar,
  visit,
  type YAMLMap,
  parse as yamlParse,
} from 'yaml'
import * as z from 'zod'
import { ConfigError } from '../errors.js'
import { REPOSITORY } from '../hub/cache.js'
import { resolveModel } from '../hub/resolve.js'
import { allKeys, elementOf, keysAt, membersFor } from './config-schema.js'
import { nearest } from './nearest.js'

/** A config, checked and with its defaults filled in, and where it came from. */
export interface LoadedConfig<T> {
  config: T
  /** The file's text as read, before `${…}` and `--set`; empty when there was no file. */
  source: string
}

let base = process.cwd()

/**
 * A file or folder in a config. Relative paths are relative to the config's own folder (those from `--set` to the
 * current folder) and come out absolute. A default is given by `.prefault(…)`, since zod passes `.default(…)` by unread.
 */
export const path = () =>
  z
    .string()
    .min(1)
    .transform(written => resolve(base, written))

/** A model in a config: a file or folder like any other `path`, or the name of a model that was pulled. */
export const modelPath = () =>
  z
    .string()
    .min(1)
    .transform(written => {
      const place = resolve(base, written)
      if (existsSync(place) || !REPOSITORY.test(written)) return place
      try {
        return resolveModel(written)
      } catch {
        return place // what uses it says that it is not there
      }
    })

/**
 * Reads a config file.
 * - `${NAME}` and `${NAME:-default}` in values become environment variables; `$${` stands for a plain `${`.
 * - `sets` are overrides such as `ppo.kl_coef=0.02`; the value is read as YAML. They may make keys and whole branches.
 * @param schema use `z.strictObject`, so that an unknown key is an error that names the nearest known one.
 * @param file undefined: start from an empty config, so that defaults and `sets` alone decide.
 * @throws ConfigError with key, file and line; its message is one line.
 */
export function loadConfig<S extends z.ZodType>(
  schema: S,
  file: string | undefined,
  sets: readonly string[] = [],
): LoadedConfig<z.output<S>> {
  const source = file === undefined ? '' : readSource(file)
  const places = new Places(source, file)
  const overrides = sets.map(set => readSet(set))
  const raw = places.value()
  for (const override of overrides) setIn(raw, override)

  const parse = (folder: string): unknown => {
    const previous = base
    base = folder
    try {
      const result = schema.safeParse(raw)
      if (!result.success) throw firstProblem(schema, raw, result.error.issues, places, overrides)
      return result.data
    } finally {
      base = previous
    }
  }
  const config = parse(file === undefined ? process.cwd() : dirname(resolve(file)))
  // What --set brought is taken from a second reading in which paths are relative to the current folder.
  const fromHere = overrides.length > 0 ? parse(process.cwd()) : undefined
  for (const { keys } of overrides) copyAt(config, fromHere, keys)
  return { config: config as z.output<S>, source }
}

/**
 * Settings that are given in code, checked and with their defaults filled in.
 * @throws ConfigError of one line with the key, as of a file
 */
export function checkConfig<S extends z.ZodType>(schema: S, given: unknown): z.output<S> {
  const result = schema.safeParse(given)
  if (!result.success) throw firstProblem(schema, given, result.error.issues, new Places('', undefined), [])
  return result.data
}

/**
 * The full config as YAML that `loadConfig` reads back to the same values, each key with its description as a comment.
 * Optional keys that are not set are listed in comments.
 */
export function describeConfig(schema: z.ZodType, config: unknown): string {
  const document = new Document(config, { aliasDuplicateObjects: false })
  describeNode(schema, config, document.contents as Node | null)
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string') node.value = node.value.replaceAll('${', () => '$${')
    },
  })
  return document.toString({ lineWidth: 120, commentString: text => text.replace(/^(?!$)/gm, '# ') })
}

function describeNode(schema: z.core.$ZodType, value: unknown, node: Node | null): void {
  if (Array.isArray(value)) {
    const items = (node as unknown as { items: Node[]; flow?: boolean }).items
    if (value.every(item => typeof item !== 'object' || item === null)) (node as { flow?: boolean }).flow = true
    for (const [i, item] of value.entries()) {
      const element = elementOf(schema, i)
      if (element) describeNode(element, item, items[i]!)
    }
    return
  }
  if (typeof value !== 'object' || value === null || !isMap(node)) return
  const members = membersFor(schema, value)
  for (const pair of node.items as Pair<Scalar<string>, Node>[]) {
    const key = String(pair.key.value)
    const member = members?.get(key)
    if (member?.description) pair.key.commentBefore = member.description
    const below = member?.schema ?? elementOf(schema, key)
    if (below) describeNode(below, value[key as never], pair.value)
  }
  const unset = [...(members ?? [])].filter(([key]) => value[key as never] === undefined)
  // Keys that are present but undefined would be written as null, which is another value.
  ;(node as YAMLMap).items = node.items.filter(pair => {
    const key = (pair.key as Scalar<string>).value
    return value[key as never] !== undefined
  })
  if (unset.length > 0) {
    node.comment = unset
      .map(([key, { description }]) => `${key}: (not set)${description ? ` ${description}` : ''}`)
      .join('\n')
  }
}

function readSource(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`, { file }, { cause })
  }
}

/** The YAML document with the position of each key, and `${…}` expanded. */
class Places {
  readonly #lines = new LineCounter()
  readonly #document
  readonly #file: string | undefined

  constructor(source: string, file: string | undefined) {
    this.#file = file
    this.#document = parseDocument(source, { lineCounter: this.#lines, merge: true, prettyErrors: false })
    const [error] = this.#document.errors
    if (error) {
      throw new ConfigError(`not valid YAML: ${error.message.split('\n')[0]}`, this.#at(error.pos[0]), { cause: error })
    }
    visit(this.#document, {
      Scalar: (key, node) => {
        if (key !== 'key' && typeof node.value === 'string') this.#expand(node)
      },
    })
    if (this.#document.contents !== null && !isMap(this.#document.contents)) {
      throw new ConfigError('a config is a map of keys to values', this.#at(0))
    }
  }

  value(): Record<string, unknown> {
    try {
      return (this.#document.toJS() ?? {}) as Record<string, unknown>
    } catch (cause) {
      throw new ConfigError(`not valid YAML: ${(cause as Error).message}`, this.#at(0), { cause })
    }
  }

  /** The place of the key at `keys`, or of the nearest key above it that stands in the file. */
  of(keys: readonly PropertyKey[]): { file?: string; line?: number } {
    for (let length = keys.length; length > 0; length--) {
      const parent = this.#document.getIn(keys.slice(0, length - 1) as unknown[], true) as unknown
      const last = keys[length - 1]
      if (isMap(parent)) {
        const pair = parent.items.find(item => String((item.key as Scalar).value) === String(last))
        const range = (pair?.key as Scalar | undefined)?.range
        if (range) return this.#at(range[0])
      } else {
        const node = this.#document.getIn(keys.slice(0, length) as unknown[], true) as Node | undefined
        if (node?.range) return this.#at(node.range[0])
      }
    }
    return this.#file === undefined ? {} : { file: this.#file }
  }

  #at(offset: number): { file?: string; line?: number } {
    return this.#file === undefined ? {} : { file: this.#file, line: this.#lines.linePos(offset).line }
  }

  #expand(node: Scalar): void {
    const written = node.value as string
    const value = written.replace(/\$(\$\{)|\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g, (_, escaped, name, fallback) => {
      if (escaped) return escaped
      const found = process.env[name] || fallback || process.env[name]
      if (found === undefined && fallback === undefined) {
        throw new ConfigError(
          `the environment variable ${name} is not set; set it, or write \${${name}:-default}`,
          this.#at(node.range![0]),
        )
      }
      return found ?? ''
    })
    if (value === written) return
    // An unquoted ${SEED:-1} is a number, as if the value stood there; a quoted one stays text.
    const plain = node.type === Scalar.PLAIN && !written.includes('$${') ? yamlParse(value) : value
    node.value = typeof plain === 'object' && plain !== null ? value : plain
  }
}

interface Override {
  keys: string[]
  value: unknown
  written: string
}

function readSet(written: string): Override {
  const equals = written.indexOf('=')
  const name = equals < 0 ? written : written.slice(0, equals)
  const keys = name.trim().split('.')
  if (equals < 0 || keys.some(key => key === '')) {
    throw new ConfigError('expected key=value, such as ppo.kl_coef=0.02', { file: `--set ${written}` })
  }
  try {
    return { keys, value: yamlParse(written.slice(equals + 1)), written }
  } catch (cause) {
    throw new ConfigError(`not valid YAML: ${(cause as Error).message.split('\n')[0]}`, { file: `--set ${written}` })
  }
}

function setIn(root: Record<string, unknown>, { keys, value, written }: Override): void {
  let at: unknown = root
  for (const [i, key] of keys.entries()) {
    if (typeof at !== 'object' || at === null || (Array.isArray(at) && !/^\d+$/.test(key))) {
      const above = keys.slice(0, i).join('.')
      throw new ConfigError(`${above} holds ${kindOf(at)}, which has no key '${key}'`, { file: `--set ${written}` })
    }
    const holder = at as Record<string, unknown>
    if (i === keys.length - 1) Object.defineProperty(holder, key, { value, ...PLAIN })
    else if (!Object.hasOwn(holder, key) || holder[key] === null)
      Object.defineProperty(holder, key, { value: {}, ...PLAIN })
    at = holder[key]
  }
}

/** defineProperty instead of assignment, so that a key `__proto__` stays an ordinary (and unknown) key. */
const PLAIN = { enumerable: true, configurable: true, writable: true }

function copyAt(target: unknown, from: unknown, keys: readonly string[]): void {
  const [last, above] = [keys.at(-1)!, keys.slice(0, -1)]
  const holder = valueAt(target, above)
  const source = valueAt(from, above)
  if (typeof holder === 'object' && holder !== null && typeof source === 'object' && source !== null) {
    if (Object.hasOwn(source, last))
      (holder as Record<string, unknown>)[last] = (source as Record<string, unknown>)[last]
  }
}

const valueAt = (root: unknown, keys: readonly PropertyKey[]): unknown =>
  keys.reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? at[key as never] : undefined), root)

type Issue = z.core.$ZodIssue

/** The first problem, as an error with its place. Unknown keys come first: they explain the missing ones. */
function firstProblem(
  schema: z.ZodType,
  raw: unknown,
  issues: readonly Issue[],
  places: Places,
  overrides: readonly Override[],
): ConfigError {
  const leaves = issues.flatMap(issue => innermost(issue))
  const issue = leaves.find(({ code }) => code === 'unrecognized_keys') ?? leaves[0]!
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0]! : undefined
  const keys = unknown === undefined ? issue.path : [...issue.path, unknown]
  const override = overrides.findLast(o => o.keys.every((key, i) => i >= keys.length || key === String(keys[i])))
  const place = override ? { file: `--set ${override.written}` } : places.of(keys)
  const what =
    unknown === undefined ? describeIssue(issue, valueAt(raw, keys)) : unknownKey(schema, issue.path, unknown)
  return new ConfigError(what, { ...place, key: keys.map(String).join('.') })
}

/** Of a union that nothing matched, the issues of the alternative that came closest: wrong deepest, fewest times. */
function innermost(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
  const branches = issue.errors
    .map(errors => errors.flatMap(innermost))
    .sort((a, b) => deepest(b) - deepest(a) || a.length - b.length)
  if (deepest(branches[0]!) === 0) return [issue]
  return branches[0]!.map(inner => ({ ...inner, path: [...issue.path, ...inner.path] }) as Issue)
}

const deepest = (issues: readonly Issue[]) =>
  Math.max(...issues.map(({ path, code }) => path.length + (code === 'unrecognized_keys' ? 1 : 0)))

function unknownKey(schema: z.ZodType, path: readonly PropertyKey[], key: string): string {
  const known = keysAt(schema, path)
  const here = nearest(key, known)
  if (here) return `unknown key; did you mean '${here}'?`
  const elsewhere = allKeys(schema).find(dotted => dotted === key || dotted.endsWith(`.${key}`))
  if (elsewhere) return `unknown key here; there is '${elsewhere}'`
  return `unknown key; known here: ${known.join(', ')}`
}

function describeIssue(issue: Issue, value: unknown): string {
  const got = `got ${kindOf(value)}`
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined ? `is missing; expected ${issue.expected}` : `expected ${issue.expected}, ${got}`
    case 'invalid_value':
      return `expected ${issue.values.map(v => JSON.stringify(v)).join(' or ')}, ${got}`
    case 'invalid_union':
      return issue.errors.length === 0
        ? `${got}, which names none of the choices`
        : `expected ${issue.errors.map(errors => errors[0]?.message.replace(/^Invalid input: expected (\w+).*/, '$1')).join(' or ')}, ${got}`
    default:
      return `${issue.message.replace(/^Too (small|big): expected /, 'expected ')}, ${got}`
  }
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'a map'
  const text = JSON.stringify(value) ?? String(value)
  return `${typeof value} ${text.length > 60 ? `${text.slice(0, 57)}…` : text}`
}
