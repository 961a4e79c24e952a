/** Compiles the addon against the libtorch that was found. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Libtorch } from './libtorch.js'
import { addonPath, packageFolder } from './places.js'

/** What a compiler is called, best first. `CXX` goes before all. */
const COMPILERS = ['c++', 'g++', 'clang++']

export interface Compiler {
  readonly command: string
  readonly version: string
}

/** The first compiler that answers, or null. */
export function findCompiler(): Compiler | null {
  const chosen = process.env['CXX']
  for (const command of chosen ? [chosen] : COMPILERS) {
    const answer = spawnSync(command, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    if (answer.status === 0) return { command, version: answer.stdout.split('\n')[0]!.trim() }
  }
  return null
}

/** The flags of the compilation, for `findings()` too. */
export function compilerFlags(libtorch: Libtorch): string[] {
  const headers = createRequire(import.meta.url)('node-api-headers') as { include_dir: string }
  const lib = join(libtorch.folder, 'lib')
  const flags = ['-std=c++20', '-O2', '-fPIC', '-shared', '-fvisibility=hidden', '-w']
  const includes = ['include', 'include/torch/csrc/api/include'].map(path => `-I${join(libtorch.folder, path)}`)
  // Nothing in the sources names CUDA; without --no-as-needed the linker would drop libtorch and its CUDA kernels.
  const links =
    process.platform === 'darwin'
      ? ['-undefined', 'dynamic_lookup', '-ltorch', '-ltorch_cpu', '-lc10']
      : ['-Wl,--no-as-needed', '-ltorch', '-ltorch_cpu', '-lc10', '-Wl,--as-needed', '-Wl,-z,nodelete']
  return [...flags, ...includes, `-I${headers.include_dir}`, `-L${lib}`, ...links, `-Wl,-rpath,${lib}`]
}

/**
 * Compiles into a temporary file and renames it, so that two processes at once both work.
 * @returns the addon's path
 */
export async function compile(libtorch: Libtorch): Promise<string> {
  const target = addonPath(libtorch)
  if (existsSync(target)) return target
  const compiler = findCompiler()
  if (!compiler) {
    throw new Error(
      'no C++ compiler found; install one: apt-get install g++ (Debian, Ubuntu), dnf install gcc-c++, xcode-select --install',
    )
  }
  mkdirSync(dirname(target), { recursive: true })
  const temporary = `${target}.${process.pid}`
  const args = [join(packageFolder, 'native', 'addon.cc'), '-o', temporary, ...compilerFlags(libtorch)]
  const { code, output } = await quietly(compiler.command, args)
  if (code !== 0) {
    rmSync(temporary, { force: true })
    const first = output.split('\n').find(line => /error|fatal/i.test(line)) ?? output.split('\n')[0]
    throw new Error(`${compiler.command} could not compile the engine (${compiler.version}; C++20 is needed): ${first}`)
  }
  renameSync(temporary, target)
  return target
}

/** Runs a command without a word on our own streams; gives what it said. */
export function quietly(command: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const take = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-65536)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', reject)
    child.on('close', code => resolve({ code: code ?? 1, output }))
  })
}
