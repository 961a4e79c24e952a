/** Installs PyTorch's libtorch into the private folder, with Python's own tools. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { quietly } from './compile.js'
import { fromInstalled, installedFolder, type Libtorch } from './libtorch.js'
import { PINNED, privateFolder } from './places.js'

/**
 * A virtual environment beside its final place, renamed into it when complete: nobody ever sees half of one.
 * Throws one line naming what is missing and the command that mends it.
 */
export async function installLibtorch(): Promise<Libtorch> {
  const python = ['python3', 'python'].find(
    name => spawnSync(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']).status === 0,
  )
  if (!python) {
    throw new Error(
      'neither libtorch nor Python 3.10 or newer was found; install Python (apt-get install python3 python3-venv), or set LIBTORCH to a folder with include/ and lib/',
    )
  }
  mkdirSync(privateFolder(), { recursive: true })
  const target = installedFolder()
  const temporary = `${target}.${process.pid}`
  rmSync(temporary, { recursive: true, force: true })
  try {
    const venv = await quietly(python, ['-m', 'venv', temporary])
    if (venv.code !== 0) {
      throw new Error(
        `${python} -m venv failed; on Debian and Ubuntu: apt-get install python3-venv (${lastLine(venv.output)})`,
      )
    }
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', `torch==${PINNED}`]
    const answer = await quietly(join(temporary, 'bin', 'python'), pip)
    if (answer.code !== 0) {
      const hint = "check the network and pip's index, or set LIBTORCH to a folder with include/ and lib/"
      throw new Error(`pip install torch==${PINNED} failed: ${lastLine(answer.output)}; ${hint}`)
    }
    try {
      renameSync(temporary, target)
    } catch (error) {
      // Another process was faster, or a broken one stands in the way.
      if (!fromInstalled(target)) {
        if (!existsSync(target)) throw error
        rmSync(target, { recursive: true, force: true })
        renameSync(temporary, target)
      }
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  const found = fromInstalled()
  if (!found) throw new Error(`${target}: pip installed torch ${PINNED}, but its headers or libraries are not there`)
  return found
}

function lastLine(output: string): string {
  const lines = output.split('\n').filter(line => line.trim() !== '' && !/^\s*(WARNING|\[notice\])/.test(line))
  return (lines.find(line => /^\s*ERROR/.test(line)) ?? lines.at(-1) ?? 'no message').trim()
}
