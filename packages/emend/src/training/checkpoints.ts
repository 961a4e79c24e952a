/** Checkpoints that are whole or absent: written aside, synced, renamed; each file's SHA-256 in a manifest. */
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { readSafetensors, scope, writeSafetensors } from '@emend/torch'
import type { Stateful } from './stateful.js'

interface Manifest {
  readonly step: number
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>
}

const NAME = /^step-(\d{8})$/

/** Piece by piece: Node reads no file of 2 GiB or more at once. */
function sha256Of(path: string): string {
  const hash = createHash('sha256')
  const piece = Buffer.alloc(1 << 20)
  const file = openSync(path, 'r')
  try {
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) hash.update(piece.subarray(0, read))
  } finally {
    closeSync(file)
  }
  return hash.digest('hex')
}

/** Makes what was written in `path` (a file or a folder) survive a power cut. */
function sync(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

export class Checkpoints {
  readonly #folder: string
  readonly #keep: number

  /** @param keep how many of the newest checkpoints stay; one more than needed, in case the newest is damaged. */
  constructor(folder: string, keep = 2) {
    this.#folder = folder
    this.#keep = keep
  }

  /**
   * Writes the state of every owner after `step` steps; what is older than the newest `keep` goes, and so does what a killed
   * process left half-written.
   */
  save(step: number, owners: Readonly<Record<string, Stateful>>): void {
    const name = `step-${String(step).padStart(8, '0')}`
    const target = join(this.#folder, name)
    const aside = join(this.#folder, `.${name}.${process.pid}`)
    rmSync(aside, { recursive: true, force: true })
    mkdirSync(aside, { recursive: true })
    const values: Record<string, unknown> = {}
    for (const [owner, stateful] of Object.entries(owners)) {
      const state = stateful.state()
      if (state.values) values[owner] = state.values
      if (state.tensors) writeSafetensors(join(aside, `${owner}.safetensors`), state.tensors)
    }
    writeFileSync(join(aside, 'state.json'), JSON.stringify(values, null, 1))
    sync(join(aside, 'state.json'))
    const files: Record<string, { bytes: number; sha256: string }> = {}
    for (const file of readdirSync(aside).sort()) {
      const path = join(aside, file)
      files[file] = { bytes: statSync(path).size, sha256: sha256Of(path) }
    }
    writeFileSync(join(aside, 'manifest.json'), JSON.stringify({ step, files } satisfies Manifest, null, 1))
    sync(join(aside, 'manifest.json'))
    sync(aside)
    rmSync(target, { recursive: true, force: true })
    renameSync(aside, target)
    sync(this.#folder)
    // What claims more steps than were made now is damaged, or the run would have gone on from it.
    const kept = this.#names()
      .filter(other => other <= name)
      .slice(0, this.#keep)
    for (const other of readdirSync(this.#folder)) {
      if (!kept.includes(other) && NAME.test(other.replace(/^\.|\.\d+$/g, '')))
        rmSync(join(this.#folder, other), { recursive: true, force: true })
    }
  }

  /**
   * Gives every owner its state from the newest valid checkpoint.
   *
   * @returns the number of steps done, 0 when there is no valid checkpoint
   */
  restore(owners: Readonly<Record<string, Stateful>>): number {
    for (const name of this.#names()) {
      const folder = join(this.#folder, name)
      const manifest = validManifest(folder)
      if (!manifest) continue
      const values = JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')) as Record<
        string,
        Record<string, unknown>
      >
      for (const [owner, stateful] of Object.entries(owners)) {
        const file = join(folder, `${owner}.safetensors`)
        scope(() =>
          stateful.load({
            values: values[owner],
            tensors: existsSync(file) ? readSafetensors(file).tensors : undefined,
          }),
        )
      }
      return manifest.step
    }
    return 0
  }

  /** Whether there is one, valid or not. */
  get any(): boolean {
    return this.#names().length > 0
  }

  /** Names of the checkpoints, newest first. */
  #names(): string[] {
    if (!existsSync(this.#folder)) return []
    return readdirSync(this.#folder)
      .filter(name => NAME.test(name))
      .sort()
      .reverse()
  }
}

/** The manifest of a checkpoint whose every file is there with the promised content; undefined otherwise. */
function validManifest(folder: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest
    const whole = Object.entries(manifest.files).every(([file, { bytes, sha256: promised }]) => {
      const path = join(folder, file)
      return statSync(path).size === bytes && sha256Of(path) === promised
    })
    return whole ? manifest : undefined
  } catch {
    return undefined
  }
}
