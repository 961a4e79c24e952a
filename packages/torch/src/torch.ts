/** `torch`: every public ATen operator as a typed function, and as a method of Tensor. */
import { checkDevice, type Device } from './device.js'
import { type DType, isDType } from './dtype.js'
import { invoke, Operator } from './invoke.js'
import { type TorchOperators, table } from './ops.generated.js'
import { Tensor, tensor } from './tensor.js'

/** Operators that crash the process for some arguments, and everything else that is not typed. Promises nothing. */
export interface Unsafe {
  /**
   * Calls any operator of the dispatcher by its full name and overload (`''` for the default one).
   * Arguments are checked against the schema, but not against what the operator's author took for granted.
   */
  call(name: string, overload: string, ...args: unknown[]): unknown
}

const unsafeOperators = new Map<string, Operator>()

const unsafe: Unsafe = {
  call(name, overload, ...args) {
    const key = `${name}.${overload}`
    let operator = unsafeOperators.get(key)
    if (operator === undefined) {
      if (typeof name !== 'string' || typeof overload !== 'string')
        throw new TypeError('torch.unsafe.call: name and overload must be strings')
      operator = new Operator(name.replace(/^aten::/, 'torch.'), name, [overload], true)
      unsafeOperators.set(key, operator)
    }
    return invoke(operator, undefined, args)
  },
}

/** Reads the generated table: a line per name with its letters (f function, m method) and its overloads. */
function install(): Record<string, unknown> {
  const functions: Record<string, unknown> = Object.create(null)
  const prototype = Tensor.prototype as unknown as Record<string, unknown>
  for (const line of table.split('\n')) {
    const [name = '', asFunction = '', asMethod = ''] = line.split(' ')
    if (asFunction !== '-') functions[name] = functionOf(name, asFunction.split(',').map(plain))
    if (asMethod !== '-') prototype[name] = methodOf(name, asMethod.split(',').map(plain))
  }
  prototype['to'] = to
  return functions
}

const convert = new Operator('torch.to', 'aten::to', ['dtype_layout'])

function to(this: Tensor, target: Device | DType): unknown {
  if (isDType(target)) return invoke(convert, this, [{ dtype: target }])
  return invoke(convert, this, [{ device: checkDevice(target, 'torch.to') }])
}

/** The overload without a name is written `_`. */
const plain = (overload: string) => (overload === '_' ? '' : overload)

function functionOf(name: string, overloads: string[]): (...args: unknown[]) => unknown {
  const operator = new Operator(`torch.${name}`, `aten::${name}`, overloads)
  return (...args) => invoke(operator, undefined, args)
}

function methodOf(name: string, overloads: string[]): (this: Tensor, ...args: unknown[]) => unknown {
  const operator = new Operator(`torch.${name}`, `aten::${name}`, overloads)
  return function (this: Tensor, ...args) {
    if (!(this instanceof Tensor)) throw new TypeError(`torch.${name}: called on something that is not a Tensor`)
    return invoke(operator, this, args)
  }
}

/** What `torch` offers beside the operators. */
export interface Torch extends TorchOperators {
  readonly tensor: typeof tensor
  readonly unsafe: Unsafe
}

/** Operators under their ATen names, flat: `torch.cat([a, b], 1)`, `torch.linear(x, w)`, `torch.log_sigmoid(x)`. */
export const torch: Torch = Object.freeze(Object.assign(install(), { tensor, unsafe })) as unknown as Torch
