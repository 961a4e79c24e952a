/** Every format, in the order in which they are tried on a file. A new format is a file here and a line below. */

import { UsageError } from '../../errors.js'
import { alpaca } from './alpaca.js'
import { alpacaevalAnnotations, alpacaevalOutputs } from './alpacaeval.js'
import { alpacafarmPreference } from './alpacafarm.js'
import { draftFinal } from './draft-final.js'
import { emend } from './emend.js'
import { figa } from './figa.js'
import type { Columns, Format } from './format.js'
import { hhRlhf } from './hh-rlhf.js'
import { langfuse } from './langfuse.js'
import { nemoRl } from './nemo-rl.js'
import { responses } from './responses.js'
import { rlLoggingBoard } from './rl-logging-board.js'
import { tokenLabels } from './token-labels.js'
import { trlImplicit, trlPreference } from './trl.js'
import { ultrafeedback } from './ultrafeedback.js'
import { verl } from './verl.js'

export const formats: readonly Format[] = [
  emend,
  figa,
  langfuse,
  nemoRl,
  hhRlhf,
  ultrafeedback,
  trlPreference,
  trlImplicit,
  alpacaevalAnnotations,
  alpacafarmPreference,
  alpacaevalOutputs,
  alpaca,
  draftFinal,
  responses,
  tokenLabels,
  verl,
  rlLoggingBoard,
]

/** A format by its name. @throws UsageError naming those there are */
export function formatOf(name: string): Format {
  const found = formats.find(format => format.name === name)
  if (found) return found
  throw new UsageError(`format ${name}: unknown; there are ${formats.map(format => format.name).join(', ')}`)
}

/** The format that has columns of these names. @throws UsageError if none has */
export function formatWithColumns(columns: Columns): Format {
  const names = Object.keys(columns)
  const found = formats.find(format => names.every(name => format.columns?.includes(name)))
  if (found) return found
  const able = formats.flatMap(({ name, columns }) => (columns ? [`${name}: ${columns.join(', ')}`] : []))
  throw new UsageError(`columns ${names.join(', ')}: no format has all of these; ${able.join('; ')}`)
}

/** @throws UsageError for a name of a column that this format does not have: nothing would come of it */
export function checkColumns(columns: Columns, { name, columns: able = [] }: Format): void {
  const unknown = Object.keys(columns).find(column => !able.includes(column))
  if (unknown === undefined) return
  const what = able.length > 0 ? `it has ${able.join(', ')}` : 'its columns cannot be named'
  throw new UsageError(`columns ${unknown}: ${name} has no such name; ${what}`)
}

export { type Container, openRows, type Shape } from './containers/container.js'
export type { EditEntry, Entry, Kind, PreferenceEntry, ResponseEntry } from './entry.js'
export type { Columns, Fields, Format, FormatOptions, WriteOptions } from './format.js'
