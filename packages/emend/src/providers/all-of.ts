/** Calls that are made together and paid one by one. */

import type { LimitFunction } from 'p-limit'

/**
 * The results of all, in order. Where one fails no other is begun, and those under way come to their end before the error is told: they
 * are paid, and what they answer is kept.
 */
export async function allOf<T>(limit: LimitFunction, all: readonly (() => Promise<T>)[]): Promise<T[]> {
  let broken: { readonly error: unknown } | undefined
  const ends = await Promise.allSettled(
    all.map(one =>
      limit(async () => {
        if (broken) throw broken.error
        try {
          return await one()
        } catch (error) {
          broken ??= { error }
          throw error
        }
      }),
    ),
  )
  return ends.map(end => {
    if (end.status === 'rejected') throw broken!.error
    return end.value
  })
}
