/** The set-up: finds or installs a libtorch, compiles the addon, and says on stderr what takes time. */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from './compile.js'
import { installLibtorch } from './install.js'
import { findLibtorch, type Libtorch } from './libtorch.js'
import { addonPath, PINNED, privateFolder } from './places.js'

export interface Engine {
  readonly libtorch: Libtorch
  readonly addon: string
}

/** The engine if it is ready, without making anything; null when set-up has work to do. */
export function findEngine(): Engine | null {
  const libtorch = findLibtorch()
  if (!libtorch) return null
  const addon = addonPath(libtorch)
  return existsSync(addon) ? { libtorch, addon } : null
}

/** Makes the engine ready. Quick when it is. Two processes at once wait for each other. */
export async function setUp(say: (line: string) => void = line => process.stderr.write(`${line}\n`)): Promise<Engine> {
  const ready = findEngine()
  if (ready) return ready
  const release = await takeLock(say)
  try {
    let libtorch = findLibtorch()
    if (!libtorch) {
      const from = Date.now()
      say(
        `emend: installing PyTorch ${PINNED} into ${privateFolder()} (a download of some hundred megabytes, minutes) …`,
      )
      libtorch = await installLibtorch()
      say(`emend: installed PyTorch ${libtorch.version} in ${seconds(from)}`)
    }
    const from = Date.now()
    if (!existsSync(addonPath(libtorch))) {
      say(`emend: compiling the engine for libtorch ${libtorch.version} (half a minute) …`)
      await compile(libtorch)
      say(`emend: compiled in ${seconds(from)}`)
    }
    return { libtorch: findLibtorch() ?? libtorch, addon: addonPath(libtorch) }
  } finally {
    release()
  }
}

function seconds(from: number): string {
  return `${Math.round((Date.now() - from) / 1000)} s`
}

/** A folder with the owner's process id; one whose owner is gone is taken over. */
async function takeLock(say: (line: string) => void): Promise<() => void> {
  const lock = join(privateFolder(), 'setup.lock')
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(privateFolder(), { recursive: true })
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      return () => rmSync(lock, { force: true })
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST' || syscall === 'mkdir') {
        throw new Error(
          `${privateFolder()}: cannot be written (${(error as Error).message}); set EMEND_HOME to a folder that can`,
        )
      }
      if (!alive(lock)) {
        rmSync(lock, { force: true })
        continue
      }
      if (!waited) say('emend: another process is setting up, waiting for it …')
      await new Promise(resolve => setTimeout(resolve, 300))
    }
  }
}

function alive(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, 'utf8'))
    // An empty file is one that its owner is about to write, unless it has stood for long.
    if (!Number.isInteger(pid) || pid <= 0) return Date.now() - statSync(lock).mtimeMs < 2000
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
