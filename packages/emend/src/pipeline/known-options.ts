/** Options that are given in code: whoever writes JavaScript has no compiler to tell of a name that there is not. */
import { EmendError } from '../errors.js'
import { nearest } from './nearest.js'

/**
 * Refuses an option that there is not, instead of passing over it.
 *
 * @param where what takes the options, for the error
 * @param known every name there is; a record, so that the compiler misses none
 * @throws EmendError with the name, and the one that was most likely meant
 */
export function refuseUnknown<T extends object>(
  where: string,
  given: T,
  known: Readonly<Record<keyof Required<T>, true>>,
): void {
  const names = Object.keys(known)
  const unknown = Object.keys(given).find(name => !names.includes(name))
  if (unknown === undefined) return
  const meant = nearest(unknown, names)
  throw new EmendError(
    `${where}: no option '${unknown}'; ${meant ? `did you mean '${meant}'?` : `there are ${names.join(', ')}`}`,
  )
}
