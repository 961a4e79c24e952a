/** What holds while a function runs: which tensors are freed at its end, and whether gradients are recorded. */
import { native } from './native.js'
import { Tensor } from './tensor.js'

/** Tensors made in the innermost scope, or null outside of any. */
let made: Tensor[] | null = null

/** The safety net for tensors that no scope holds: frees what JavaScript has forgotten, when the event loop turns. */
const forgotten = new FinalizationRegistry<number>(handle => native.free(handle))

/** Enters a new tensor: the innermost scope frees it, or the garbage collector does. */
export function adopt(tensor: Tensor): void {
  if (made !== null) made.push(tensor)
  else forgotten.register(tensor, tensor.handle, tensor)
}

/** A tensor that is freed by hand needs the net no longer: what it holds would stay until the event loop turns. */
export function forget(tensor: Tensor): void {
  forgotten.unregister(tensor)
}

/**
 * Runs `fn` and frees every tensor that was made inside and not returned. What is returned may be a tensor, or an array,
 * plain object, Map or Set that holds some; it then belongs to the surrounding scope. `keep` lets others survive.
 * Gradients need no care: autograd holds on to what it saved, and `x.grad` belongs to x.
 * @throws TypeError when `fn` gives a promise, since what is made after the first `await` would not be seen
 */
export function scope<T>(fn: () => T): T {
  const outer = made
  const inner: Tensor[] = []
  made = inner
  let survivors: Set<Tensor> | null = null
  try {
    const result = synchronous('scope', fn())
    survivors = new Set()
    collect(result, survivors)
    return result
  } finally {
    made = outer
    release(inner, survivors)
  }
}

function release(tensors: Tensor[], survivors: Set<Tensor> | null): void {
  const { words } = native
  let n = 0
  for (const tensor of tensors) {
    if (tensor.handle === 0) continue
    if (tensor.kept) forgotten.register(tensor, tensor.handle, tensor)
    else if (survivors?.has(tensor)) adopt(tensor)
    else {
      words[++n] = tensor.handle
      tensor.handle = 0
      if (n === words.length - 1) {
        words[0] = n
        native.freeMany()
        n = 0
      }
    }
  }
  if (n > 0) {
    words[0] = n
    native.freeMany()
  }
}

/** Every tensor inside a value: arrays, plain objects, Maps and Sets are looked into. */
function collect(value: unknown, into: Set<Tensor>, seen: Set<object> = new Set()): void {
  if (typeof value !== 'object' || value === null) return
  if (value instanceof Tensor) {
    into.add(value)
    return
  }
  if (seen.has(value)) return
  seen.add(value)
  if (Array.isArray(value) || value instanceof Set) for (const part of value) collect(part, into, seen)
  else if (value instanceof Map) for (const part of value.values()) collect(part, into, seen)
  else {
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) {
      for (const part of Object.values(value)) collect(part, into, seen)
    }
  }
}

/** Lets a tensor, or every tensor in an array, plain object, Map or Set, survive all scopes; gives it back. */
export function keep<T>(value: T): T {
  const tensors = new Set<Tensor>()
  collect(value, tensors)
  for (const tensor of tensors) tensor.kept = true
  return value
}

/** Runs `fn` without recording for gradients. Synchronous, like all of these. */
export function noGrad<T>(fn: () => T): T {
  return withGradMode('noGrad', false, fn)
}

/** Runs `fn` recording for gradients, inside of `noGrad`. */
export function enableGrad<T>(fn: () => T): T {
  return withGradMode('enableGrad', true, fn)
}

/** Whether operators called now are recorded for gradients. */
export function gradEnabled(): boolean {
  const enabled = native.gradMode(true)
  native.gradMode(enabled)
  return enabled
}

function withGradMode<T>(name: string, enabled: boolean, fn: () => T): T {
  const before = native.gradMode(enabled)
  try {
    return synchronous(name, fn())
  } finally {
    native.gradMode(before)
  }
}

/**
 * Runs `fn` faster than `noGrad`: its tensors can never take part in a computation that needs gradients. Use it where
 * results leave as numbers; what training reads again is made under `noGrad`.
 */
export function inferenceMode<T>(fn: () => T): T {
  native.inferenceMode(true)
  try {
    return synchronous('inferenceMode', fn())
  } finally {
    native.inferenceMode(false)
  }
}

function synchronous<T>(name: string, result: T): T {
  if (typeof (result as PromiseLike<unknown> | null | undefined)?.then === 'function') {
    throw new TypeError(`${name}: the function gave a promise; it must be synchronous (await before or after it)`)
  }
  return result
}
