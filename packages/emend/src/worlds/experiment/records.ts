/** What stages hand to each other: JSON lines of texts with the ids exactly as sampled. */
import { readFileSync } from 'node:fs'
import type { Pair, Response } from '../../algorithms/pairs.js'
import { writeAtomically } from '../../pipeline/atomic-file.js'

export interface SampledText {
  readonly text: string
  readonly ids: readonly number[]
  readonly ended: boolean
}

export interface Preference {
  readonly id: string
  readonly prompt: string
  readonly chosen: SampledText
  readonly rejected: SampledText
}

export interface Sample {
  readonly prompt: string
  readonly reply: SampledText
}

export function writeRecords(path: string, records: readonly unknown[]): void {
  writeAtomically(path, records.map(record => JSON.stringify(record) + '\n').join(''))
}

export function readRecords<T>(path: string): T[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as T)
}

/** Preferences → pairs of ids. */
export function pairsFromPreferences(preferences: readonly Preference[], prompts: readonly Int32Array[]): Pair[] {
  const response = ({ ids, ended }: SampledText): Response => ({ ids: Int32Array.from(ids), ended })
  return preferences.map(({ id, chosen, rejected }, i) => ({
    id,
    prompt: prompts[i] as Int32Array,
    chosen: response(chosen),
    rejected: response(rejected),
    source: 'preference',
  }))
}
