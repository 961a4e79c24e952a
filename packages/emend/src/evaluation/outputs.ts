/** AlpacaEval's model outputs, and those of two models side by side. */

import { asRecord, textField } from '../data/fields.js'
import { instructed } from '../data/formats/text.js'
import { DataError } from '../errors.js'
import { optionalTexts } from './annotations.js'
import { pythonRecords } from './python-json.js'

/** One output as AlpacaEval stores it. */
export interface ModelOutput {
  /** With the `input` of Alpaca's records, if there is one, below it. */
  readonly instruction: string
  readonly output: string
  readonly generator?: string
  readonly dataset?: string
}

/** The outputs of two models to one instruction. */
export interface OutputPair {
  readonly instruction: string
  readonly reference: ModelOutput
  readonly model: ModelOutput
}

/** Reads a file of `{instruction, output, generator}`. @throws DataError naming file, record (or line) and field */
export async function readOutputs(path: string): Promise<ModelOutput[]> {
  const outputs: ModelOutput[] = []
  for await (const { line, value } of pythonRecords(path)) {
    const record = asRecord(value, path, line)
    outputs.push({
      instruction: instructed(record).prompt,
      output: textField(record, 'output'),
      ...optionalTexts(record, ['generator', 'dataset']),
    })
  }
  if (outputs.length === 0) throw new DataError('no outputs; expected at least one record', { file: path })
  return outputs
}

/** What stands on both sides of a join, and how much stands on one only. */
export interface Joined<A, B> {
  readonly pairs: readonly (readonly [A, B])[]
  readonly onlyInA: number
  readonly onlyInB: number
}

/** Joins by instruction, in the order of `a`; the second of the same instruction goes with the second on the other side. */
export function joinByInstruction<A extends { instruction: string }, B extends { instruction: string }>(
  a: readonly A[],
  b: readonly B[],
): Joined<A, B> {
  const waiting = new Map<string, B[]>()
  for (const one of b.toReversed()) {
    const same = waiting.get(one.instruction)
    if (same) same.push(one)
    else waiting.set(one.instruction, [one])
  }
  const pairs = a.flatMap((one): [A, B][] => {
    const other = waiting.get(one.instruction)?.pop()
    return other ? [[one, other]] : []
  })
  return { pairs, onlyInA: a.length - pairs.length, onlyInB: b.length - pairs.length }
}
