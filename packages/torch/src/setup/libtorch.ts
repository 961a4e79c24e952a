/** Finds a libtorch: `LIBTORCH`, a Python's installed torch, or the one that set-up installed. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { digest, OLDEST, PINNED, privateFolder } from './places.js'

export interface Libtorch {
  /** The folder that holds `include/` and `lib/`. */
  readonly folder: string
  readonly version: string
  /** How it was found, for people. */
  readonly source: string
  /** Changes when the library's file does. */
  readonly stamp: string
}

/** Where `pip install torch` of ours goes. */
export function installedFolder(): string {
  return join(privateFolder(), `libtorch-${PINNED}`)
}

/** The engine's libtorch, or null when set-up must install one. Throws when `LIBTORCH` is set and wrong. */
export function findLibtorch(): Libtorch | null {
  const chosen = process.env['LIBTORCH']
  if (chosen) {
    const found = inspect(resolve(chosen), 'LIBTORCH')
    if (typeof found === 'string') throw new Error(`LIBTORCH=${chosen}: ${found}`)
    return found
  }
  const remembered = recall()
  if (remembered) return remembered
  const found = fromPython() ?? fromInstalled()
  if (found) remember(found)
  return found
}

/** What stands in the folder, or why it cannot serve. */
function inspect(folder: string, source: string): Libtorch | string {
  const library = join(folder, 'lib', process.platform === 'darwin' ? 'libtorch_cpu.dylib' : 'libtorch_cpu.so')
  if (!existsSync(library)) return `no ${library}; give the folder that holds include/ and lib/`
  const header = ['include/torch/headeronly/version.h', 'include/torch/csrc/api/include/torch/version.h']
    .map(path => join(folder, path))
    .find(existsSync)
  if (!header) return `no headers under ${join(folder, 'include')}`
  const text = readFileSync(header, 'utf8')
  const part = (name: string) => new RegExp(`#define TORCH_VERSION_${name} (\\d+)`).exec(text)?.[1] ?? '0'
  const version = `${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`
  if (older(version, OLDEST)) return `libtorch ${version} is older than ${OLDEST}`
  const { mtimeMs, size } = statSync(library)
  return { folder, version, source, stamp: `${size}-${Math.round(mtimeMs)}` }
}

function older(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number)
  return major < thanMajor || (major === thanMajor && minor < thanMinor)
}

/** Asks each Python where its torch stands, without importing it. */
function fromPython(): Libtorch | null {
  const venv = process.env['VIRTUAL_ENV']
  const script =
    "import importlib.util as u, os; s = u.find_spec('torch'); print(os.path.dirname(s.origin) if s and s.origin else '')"
  for (const python of [...(venv ? [join(venv, 'bin', 'python')] : []), 'python3', 'python']) {
    const answer = spawnSync(python, ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const folder = answer.status === 0 ? answer.stdout.trim() : ''
    if (!folder) continue
    const found = inspect(folder, `the torch of ${python}`)
    if (typeof found !== 'string') return found
  }
  return null
}

/** The torch in our own virtual environment. */
export function fromInstalled(folder = installedFolder()): Libtorch | null {
  const lib = join(folder, 'lib')
  if (!existsSync(lib)) return null
  for (const name of readdirSync(lib)) {
    const found = inspect(join(lib, name, 'site-packages', 'torch'), 'installed by set-up')
    if (typeof found !== 'string') return found
  }
  return null
}

/** Starting Python at every load would cost more than the load: what was found is remembered per environment. */
function memoryPath(): string {
  const key = digest([process.env['VIRTUAL_ENV'] ?? '', process.env['PATH'] ?? '', process.env['PYTHONPATH'] ?? ''])
  return join(privateFolder(), 'found', `${key}.json`)
}

function recall(): Libtorch | null {
  try {
    const { folder, source, stamp } = JSON.parse(readFileSync(memoryPath(), 'utf8')) as Libtorch
    const found = inspect(folder, source)
    return typeof found !== 'string' && found.stamp === stamp ? found : null
  } catch {
    return null
  }
}

function remember(found: Libtorch): void {
  try {
    mkdirSync(join(privateFolder(), 'found'), { recursive: true })
    const temporary = `${memoryPath()}.${process.pid}`
    writeFileSync(temporary, JSON.stringify(found))
    renameSync(temporary, memoryPath())
  } catch {
    // A folder that cannot be written costs time at the next load, nothing else.
  }
}
