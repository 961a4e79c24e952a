/** Arguments for one call of an operator, made from its schema: mostly fitting ones, then one of them broken. */
import { Tensor, tensor, torch, uniform } from '../dist/index.js'

/** A source of choices that depends on nothing but its keys. */
export function chooser(...keys) {
  let drawn = 0
  const draw = () => uniform(...keys, drawn++)
  const below = n => Math.floor(draw() * n)
  return { below, of: list => list[below(list.length)], chance: p => draw() < p, draw }
}

const shapes = [[], [1], [3], [4], [2, 3], [3, 3], [4, 4], [1, 4], [2, 3, 4], [2, 4, 4], [1, 2, 4, 4], [1, 2, 3, 4, 4]]
const emptyShapes = [[0], [0, 3], [3, 0], [2, 0, 4], [0, 0], [1, 0, 4, 4]]
const floating = ['float32', 'float64', 'bfloat16', 'float16']
const dtypes = [...floating, 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool', 'complex64', 'complex128']
const hugeInts = [2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 40, 2 ** 53 - 1, -(2 ** 53) + 1]
const oddFloats = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  -1,
  1e308,
  -1e308,
  5e-324,
  2 ** 63,
]
/** Tensors whose elements are positions in another: they get small integers, sometimes outside of it. */
const positions =
  /^(ind|index|indices|ids|target|targets|batches|offsets|boundaries|src_index|repeats|pivots|LU_pivots)/

/** What a whole call agrees on, so that many calls get past libtorch's checks of shapes. */
function frame(choose) {
  return {
    shape: choose.of(choose.chance(0.1) ? emptyShapes : shapes),
    dtype: choose.chance(0.65) ? 'float32' : choose.of(dtypes),
    grad: choose.chance(0.4),
    odd: choose.chance(0.15),
    wild: choose.chance(0.2),
  }
}

function makeTensor(choose, { shape, dtype, grad, odd, wild }, name) {
  const sizes = choose.chance(0.8) ? shape : choose.of([...shapes, ...emptyShapes])
  const index = positions.test(name)
  const kind = index && choose.chance(0.85) ? 'int64' : choose.chance(0.85) ? dtype : choose.of(dtypes)
  const count = sizes.reduce((product, size) => product * size, 1)
  const values = Float64Array.from({ length: count }, () => {
    if (wild && choose.chance(0.2))
      return floating.includes(kind) ? choose.of(oddFloats) : choose.of([-1, 7, ...hugeInts])
    return index
      ? choose.below(odd ? 6 : 3) - (odd ? 2 : 0)
      : floating.includes(kind)
        ? choose.draw() * 4 - 1
        : choose.below(5)
  })
  let made
  if (kind === 'bool') made = tensor(Array.from(values, value => value > 1)).view(sizes)
  else made = tensor(values, { shape: sizes }).to(kind)
  if (sizes.length >= 2 && choose.chance(0.15)) made = made.transpose(0, -1)
  if (sizes.length >= 1 && count > 0 && choose.chance(0.05)) made = made.select(0, 0).expand(made.shape)
  if (grad && (floating.includes(kind) || kind.startsWith('complex')) && choose.chance(0.7)) {
    made = made.detach().requires_grad_(true)
    // A leaf cannot be written in place; a copy of it can.
    if (choose.chance(0.5)) made = made.clone()
  }
  return made
}

const makeInt = (choose, context) =>
  context.odd && choose.chance(0.3)
    ? choose.of(hugeInts)
    : choose.chance(0.85)
      ? choose.of([0, 1, -1, 2, 0, 1, 3])
      : choose.of([-2, -7, 5, 64])

function makeInts(choose, context, length) {
  const n = choose.chance(0.7) ? length || context.shape.length : choose.below(6)
  if (choose.chance(0.3)) return context.shape.slice()
  return Array.from({ length: n }, () => makeInt(choose, context))
}

/** A value that fits the argument's kind, if not its meaning. */
function fitting(choose, argument, context) {
  const { kind, optional, length, name } = argument
  if (optional && choose.chance(0.4)) return null
  switch (kind) {
    case 'tensor':
      return makeTensor(choose, context, name)
    case 'tensors':
    case 'optional tensors':
      return Array.from({ length: choose.chance(0.9) ? 1 + choose.below(3) : 0 }, () =>
        kind !== 'tensors' && choose.chance(0.2)
          ? null
          : makeTensor(choose, context, kind === 'tensors' ? name : 'indices'),
      )
    case 'int':
      return name === 'reduction' && choose.chance(0.7) ? choose.of(['none', 'mean', 'sum']) : makeInt(choose, context)
    case 'ints':
      return length > 0 && choose.chance(0.3) ? makeInt(choose, context) : makeInts(choose, context, length)
    case 'float':
      return context.odd && choose.chance(0.4) ? choose.of(oddFloats) : choose.draw()
    case 'floats':
      return Array.from({ length: choose.below(4) }, () => choose.draw() * 2)
    case 'bool':
      return choose.chance(0.5)
    case 'bools':
      return Array.from({ length: length || choose.below(4) }, () => choose.chance(0.5))
    case 'scalar':
      return context.odd && choose.chance(0.4)
        ? choose.of([...oddFloats, ...hugeInts, true])
        : choose.of([0, 1, 2, 3, -1, 0.5, -2.5, true, 1e-3])
    case 'scalars':
      return Array.from({ length: choose.below(4) }, () => choose.of([0, 1, 0.5, -1]))
    case 'string':
      return choose.of([
        'linear',
        'none',
        'tanh',
        'ij',
        'xy',
        'sum',
        'mean',
        'reflect',
        'constant',
        'i,i->i',
        '',
        '\0',
        'é',
      ])
    case 'dtype':
      return choose.of(dtypes)
    case 'device':
      return 'cpu'
    case 'memory format':
      return choose.of(['contiguous_format', 'preserve_format', 'channels_last', 'channels_last_3d'])
    default:
      return undefined
  }
}

function freed() {
  const gone = torch.ones([2])
  gone.dispose()
  return gone
}

/** Values that fit next to nothing; those of lists carry their poison inside. */
const broken = choose =>
  choose.of([
    undefined,
    null,
    '',
    'float32',
    'cuda:0',
    'cuda:99',
    'meta',
    {},
    { shape: [1] },
    [],
    [[]],
    [[1]],
    ['1'],
    true,
    2.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    2 ** 53,
    -(2 ** 60),
    1n,
    2n ** 70n,
    -(2n ** 63n),
    Symbol.iterator,
    () => 1,
    new Map(),
    new Date(0),
    new Float32Array(2),
    Int32Array.of(1, 2),
    [Number.NaN],
    [2.5],
    [1n],
    [2n ** 65n],
    [2 ** 53],
    [undefined],
    [null],
    [1, 'a'],
    [true],
    Array.from({ length: 70 }, () => 1),
    // biome-ignore lint/suspicious/noSparseArray: a hole is one of the things people pass
    [, 1],
    { handle: 2 ** 26 },
    { length: 3 },
  ])

const brokenTensor = choose => {
  const forged = Object.create(Tensor.prototype)
  const lying = Object.create(Tensor.prototype, {
    handle: { value: choose.of([2 ** 26 + 5, -1, Number.NaN, '1', 0.5, 2 ** 52]) },
  })
  return choose.of([freed(), forged, lying, [freed()], [torch.ones([2]), freed()], [forged], [lying]])
}

/**
 * The call number `round` of an operator: `{ self, args }`, or an error from making its tensors (which is the fuzz's own).
 * Two rounds of five leave the arguments fitting; the others break one, or the list itself.
 */
export function makeCall(choose, schema, asMethod, round) {
  const context = frame(choose)
  const wanted = schema.arguments.filter(argument => argument.kind !== 'unsupported')
  const values = wanted.map(argument => fitting(choose, argument, context))
  const given = wanted.map(
    (argument, i) => !(argument.fallback !== null && choose.chance(0.4)) || (i === 0 && asMethod),
  )
  const selfAt = asMethod ? wanted.findIndex(argument => argument.name === 'self') : -1
  const candidates = wanted.map((_, i) => i).filter(i => i !== selfAt)

  const mutation = round % 5
  if (mutation === 1 && candidates.length > 0) {
    const at = choose.of(candidates)
    values[at] = broken(choose)
    given[at] = true
  } else if (mutation === 2) {
    const tensors = wanted.map((_, i) => i).filter(i => wanted[i].kind.includes('tensor'))
    if (tensors.length > 0) {
      const at = choose.of(tensors)
      values[at] = choose.chance(0.6) ? brokenTensor(choose) : broken(choose)
      given[at] = true
      if (at === selfAt && !(values[at] instanceof Tensor)) values[at] = freed()
    }
  }

  const args = []
  const options = {}
  let open = true
  for (const [i, argument] of wanted.entries()) {
    if (i === selfAt) continue
    if (!given[i]) open = false
    else if (argument.keywordOnly || !open) options[argument.name] = values[i]
    else args.push(values[i])
  }
  if (mutation === 3) {
    const how = choose.below(5)
    if (how === 0) args.push(broken(choose))
    else if (how === 1) args.pop()
    else if (how === 2) options[choose.of(['nosuch', '__proto__x', 'Self', 'dtipe', 'out'])] = 1
    else if (how === 3 && wanted.length > 0) options[choose.of(wanted).name] = broken(choose)
    else if (args.length > 1) args.reverse()
  }
  if (Object.keys(options).length > 0) args.push(options)
  return { self: selfAt >= 0 ? values[selfAt] : undefined, args }
}

/** A value in a few words, for the journal. */
export function describe(value) {
  if (value instanceof Tensor) {
    try {
      const flags = value.requiresGrad ? ' grad' : ''
      return `${value.dtype}[${value.shape}]${flags}`
    } catch {
      return 'Tensor(freed or forged)'
    }
  }
  if (Array.isArray(value))
    return `[${Array.from(value.slice(0, 6), describe).join(', ')}${value.length > 6 ? ', …' : ''}]`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return `{ ${Object.entries(value)
      .map(([key, part]) => `${key}: ${describe(part)}`)
      .join(', ')} }`
  }
  return typeof value === 'object' && value !== null ? value.constructor.name : String(value)
}
