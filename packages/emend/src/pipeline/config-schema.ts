/** Reading a zod schema as a description of a config: which keys there are, and what each one means. */

import type * as z from 'zod'

type Schema = z.core.$ZodType
type Definition = {
  type: string
  innerType?: Schema
  in?: Schema
  out?: Schema
  shape?: Record<string, Schema>
  element?: Schema
  valueType?: Schema
  options?: Schema[]
  items?: Schema[]
  rest?: Schema | null
  left?: Schema
  right?: Schema
  getter?: () => Schema
  values?: unknown[]
}

const definition = (schema: Schema) => schema._zod.def as unknown as Definition

/** The schemas that may stand behind wrappers (`optional`, `default`, `transform`, …) and unions. */
function alternatives(schema: Schema): Schema[] {
  const def = definition(schema)
  switch (def.type) {
    case 'pipe':
      // A transform reads its input as the config writes it; what stands behind it is not for the user to know.
      return alternatives(definition(def.in!).type === 'transform' ? def.out! : def.in!)
    case 'union':
      return def.options!.flatMap(alternatives)
    case 'intersection':
      return [...alternatives(def.left!), ...alternatives(def.right!)]
    case 'lazy':
      return alternatives(def.getter!())
    default:
      return def.innerType ? alternatives(def.innerType) : [schema]
  }
}

/** The text given by `.describe(…)` on a schema or on what it wraps. */
export function descriptionOf(schema: Schema): string | undefined {
  const own = (schema as { description?: string }).description
  if (own !== undefined) return own
  const def = definition(schema)
  const inner = def.innerType ?? (def.type === 'pipe' ? def.in : undefined)
  return inner && descriptionOf(inner)
}

/** Keys of the object that a config holds at `path`, over all alternatives the schema allows there. */
export function keysAt(schema: Schema, path: readonly PropertyKey[]): string[] {
  const keys = new Set<string>()
  for (const found of schemasAt(schema, path)) {
    for (const key of Object.keys(definition(found).shape ?? {})) keys.add(key)
  }
  return [...keys]
}

/** Every path of the schema that ends in an object's key, dotted; array and record members are left out. */
export function allKeys(schema: Schema, depth = 8): string[] {
  if (depth === 0) return []
  const keys = new Set<string>()
  for (const found of alternatives(schema)) {
    for (const [key, member] of Object.entries(definition(found).shape ?? {})) {
      keys.add(key)
      for (const below of allKeys(member, depth - 1)) keys.add(`${key}.${below}`)
    }
  }
  return [...keys]
}

function schemasAt(schema: Schema, path: readonly PropertyKey[]): Schema[] {
  const here = alternatives(schema)
  if (path.length === 0) return here
  const [key, ...rest] = path
  return here.flatMap(found => {
    const member = memberOf(found, key!)
    return member ? schemasAt(member, rest) : []
  })
}

function memberOf(schema: Schema, key: PropertyKey): Schema | undefined {
  const def = definition(schema)
  if (def.shape) return Object.hasOwn(def.shape, key) ? def.shape[String(key)] : undefined
  if (def.type === 'tuple') return def.items![Number(key)] ?? def.rest ?? undefined
  return def.element ?? (def.type === 'record' ? def.valueType : undefined)
}

/** One key of a config object, as its schema describes it. */
export interface ConfigKey {
  description?: string
  schema: Schema
}

/**
 * The keys of the object schema that a value was parsed by. Of a union, the alternative with the value's own literals
 * and the fewest keys the value lacks; undefined where the schema holds no object.
 */
export function membersFor(schema: Schema, value: object): Map<string, ConfigKey> | undefined {
  let best: Record<string, Schema> | undefined
  let fewest = Number.POSITIVE_INFINITY
  for (const found of alternatives(schema)) {
    const shape = definition(found).shape
    if (!shape || !Object.keys(value).every(key => Object.hasOwn(shape, key)) || !literalsMatch(shape, value)) continue
    const missing = Object.keys(shape).filter(key => !Object.hasOwn(value, key)).length
    if (missing < fewest) {
      fewest = missing
      best = shape
    }
  }
  if (!best) return undefined
  return new Map(
    Object.entries(best).map(([key, member]) => {
      const description = descriptionOf(member)
      return [key, description === undefined ? { schema: member } : { schema: member, description }]
    }),
  )
}

function literalsMatch(shape: Record<string, Schema>, value: object): boolean {
  return Object.entries(shape).every(([key, member]) => {
    const choices = alternatives(member).map(found => definition(found))
    return (
      !choices.every(def => def.type === 'literal') || choices.some(def => def.values!.includes(value[key as never]))
    )
  })
}

/** The schema of a member of an array or record, for walking a parsed value. */
export function elementOf(schema: Schema, key: PropertyKey): Schema | undefined {
  for (const found of alternatives(schema)) {
    const member = definition(found).shape ? undefined : memberOf(found, key)
    if (member) return member
  }
  return undefined
}
