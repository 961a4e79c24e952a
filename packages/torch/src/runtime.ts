/** The process's side of the engine: seeds, threads, memory, versions. */
import { checkDevice, type Device } from './device.js'
import { engine, native } from './native.js'
import { Tensor } from './tensor.js'

/** Seeds libtorch's own generators on every device. Ours are counter-based (`randomNormal`) and need none. */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new TypeError(`manualSeed: expected a non-negative integer, got ${seed}`)
  native.seed(seed)
}

/** The state of libtorch's generator on a device, as a uint8 tensor. */
export function getRandomState(device: Device = 'cpu'): Tensor {
  return new Tensor(native.randomState(checkDevice(device, 'getRandomState')))
}

/** Puts a state of `getRandomState` back. */
export function setRandomState(state: Tensor, device: Device = 'cpu'): void {
  native.setRandomState(checkDevice(device, 'setRandomState'), state.live('setRandomState'))
}

/** How many threads an operator called from this thread uses. */
export function numThreads(): number {
  return native.threads(0)
}

/** Sets how many threads operators called from this thread use. */
export function setNumThreads(n: number): void {
  if (!Number.isInteger(n) || n < 1) throw new TypeError(`setNumThreads: expected a positive integer, got ${n}`)
  native.threads(n)
}

/** Waits until the device has done all it was given; the CPU has. For measurements. */
export function synchronize(device: Device): void {
  native.synchronize(checkDevice(device, 'synchronize'))
}

export interface Memory {
  /** Live tensors made by this thread. */
  readonly tensors: number
  /** Bytes that tensors hold in main memory, of the whole process. */
  readonly bytes: number
  /** Bytes beyond which an allocation is refused: what machine and cgroups leave, or `setMemoryLimit`. */
  readonly limit: number
  /** Resident bytes of the whole process. */
  readonly rss: number
}

/** What tensors hold, and may hold. */
export function memory(): Memory {
  native.memory()
  const [tensors = 0, bytes = 0, limit = 0, rss = 0] = native.words
  return { tensors, bytes, limit, rss }
}

/** Refuses allocations beyond so many bytes of live tensors; null for what the machine allows. */
export function setMemoryLimit(bytes: number | null): void {
  if (bytes !== null && !(Number.isSafeInteger(bytes) && bytes > 0)) {
    throw new TypeError(`setMemoryLimit: expected a positive number of bytes or null, got ${bytes}`)
  }
  native.setMemoryLimit(bytes ?? 0)
}

/** Versions of what runs; for reports and the key of results that must repeat bit for bit. */
export function versions(): { torch: string; node: string; libtorch: string; configuration: string } {
  return {
    torch: native.version(),
    node: process.versions.node,
    libtorch: engine.libtorch.folder,
    configuration: native.configuration(),
  }
}
