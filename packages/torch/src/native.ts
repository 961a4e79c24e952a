/** Loads the addon, setting it up first when it is missing. Private: everything public is in the files around it. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { packageFolder } from './setup/places.js'
import { type Engine, findEngine } from './setup/setup.js'

/** The addon's entries. Arguments and results of `call` go through `words`. */
export interface Native {
  readonly words: Float64Array
  call(): void
  find(name: string, overload: string): number
  schema(operator: number): string
  intern(text: string): number
  free(handle: number): void
  freeMany(): void
  describe(handle: number): void
  make(array: ArrayBufferView, from: number, to: number, device: string): number
  read(handle: number, dtype: number, into: ArrayBufferView): void
  item(handle: number): number
  mapFile(path: string): number
  differentiate(): void
  gradient(handle: number, known: number): number
  setGradient(handle: number, gradient: number): void
  requiresGrad(handle: number): boolean
  gradMode(enabled: boolean): boolean
  inferenceMode(push: boolean): void
  seed(value: number): void
  randomState(device: string): number
  setRandomState(device: string, state: number): void
  threads(n: number): number
  accelerator(): string
  synchronize(device: string): void
  memory(): void
  setMemoryLimit(bytes: number): void
  flushDenormals(on: boolean): boolean
  version(): string
  configuration(): string
}

function load(): { engine: Engine; native: Native } {
  const engine = findEngine() ?? prepare()
  // OpenMP's threads wait for each other by spinning for milliseconds, unless told otherwise before libtorch is loaded. Beside
  // any other busy process two threads then take five times as long as they need. A short spin costs a quiet machine little.
  // Measured, a training step on two threads: 1,833 against 345 ms on a busy machine, 113 against 127 ms on a quiet one.
  process.env['GOMP_SPINCOUNT'] ??= '3000'
  const module = { exports: {} }
  process.dlopen(module, engine.addon, constants.dlopen.RTLD_NOW)
  return { engine, native: module.exports as Native }
}

/** In a process of its own, since it waits for Python and the compiler, and an import cannot. */
function prepare(): Engine {
  const script = join(packageFolder, 'dist', 'setup', 'main.js')
  if (!existsSync(script)) throw new Error(`@emend/torch is not built: ${script} is missing; run: npx tsc -b`)
  const answer = spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 2], encoding: 'utf8' })
  const engine = answer.status === 0 ? findEngine() : null
  if (!engine) throw new Error('the engine could not be set up; the line above says what is missing')
  return engine
}

const loaded = load()
/** The addon of this thread. */
export const native: Native = loaded.native
/** What it was loaded from. */
export const engine: Engine = loaded.engine

// Denormal numbers make some matrix products tens of times slower and carry nothing that training needs.
native.flushDenormals(true)
