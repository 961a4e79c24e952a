/** What the engine found, for `emend doctor`. Works without an engine, and says what is missing. */
import { existsSync } from 'node:fs'
import { compilerFlags, findCompiler } from './compile.js'
import { findLibtorch, type Libtorch } from './libtorch.js'
import { addonPath, privateFolder } from './places.js'

export interface Findings {
  readonly node: string
  readonly platform: string
  readonly home: string
  readonly libtorch: Libtorch | null
  readonly compiler: { readonly command: string; readonly version: string } | null
  readonly flags: readonly string[]
  readonly addon: string | null
  /** Whether the addon stands ready. */
  readonly built: boolean
  /** One line each: what is missing, with the command that mends it. */
  readonly missing: readonly string[]
}

/** Looks, and changes nothing. */
export function findings(): Findings {
  const missing: string[] = []
  let libtorch: Libtorch | null = null
  try {
    libtorch = findLibtorch()
    if (!libtorch)
      missing.push(
        'no PyTorch ≥ 2.10 found: set-up will install it, or set LIBTORCH to a folder with include/ and lib/',
      )
  } catch (error) {
    missing.push((error as Error).message)
  }
  const compiler = findCompiler()
  const addon = libtorch ? addonPath(libtorch) : null
  const built = addon !== null && existsSync(addon)
  if (!compiler && !built)
    missing.push(
      'no C++ compiler found: apt-get install g++ (Debian, Ubuntu), dnf install gcc-c++, xcode-select --install',
    )
  if (libtorch && !built) missing.push('the engine is not compiled yet: it will be at first use')
  return {
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    home: privateFolder(),
    libtorch,
    compiler,
    flags: libtorch ? compilerFlags(libtorch) : [],
    addon,
    built,
    missing,
  }
}
