/** Learning-rate schedules: from the number of steps done so far to a multiplier of the learning rate. */

/** The multiplier for the step to come, where `step` counts the optimizer's steps done before it (0 for the first). */
export type Schedule = (step: number) => number

/** What linear and cosine schedules share. */
export interface ScheduleOptions {
  /** Steps over which the multiplier climbs to 1, linearly and never 0: 1/warmup, 2/warmup, … Default 0. */
  readonly warmup?: number
  /** Steps in all, those of the warm-up included. */
  readonly total: number
  /** The multiplier at the end and after it. Default 0. */
  readonly floor?: number
}

/** Always 1, after a linear climb over `warmup` steps. */
export function constant(options: { readonly warmup?: number } = {}): Schedule {
  const warmup = options.warmup ?? 0
  checkCount('constant', 'warmup', warmup)
  return step => (step < warmup ? (step + 1) / warmup : 1)
}

/**
 * Climbs over `warmup` steps, then falls on a line from 1 at step `warmup` to `floor` at step `total`.
 * @throws RangeError when a count is no whole number ≥ 0, the floor is outside [0, 1] or warmup exceeds total
 */
export function linear(options: ScheduleOptions): Schedule {
  return decay('linear', options, progress => 1 - progress)
}

/**
 * Climbs over `warmup` steps, then falls as half a cosine wave from 1 at step `warmup` to `floor` at step `total`
 * (Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts).
 * @throws RangeError when a count is no whole number ≥ 0, the floor is outside [0, 1] or warmup exceeds total
 */
export function cosine(options: ScheduleOptions): Schedule {
  return decay('cosine', options, progress => (1 + Math.cos(Math.PI * progress)) / 2)
}

function decay(name: string, options: ScheduleOptions, shape: (progress: number) => number): Schedule {
  const { warmup = 0, total, floor = 0 } = options
  checkCount(name, 'warmup', warmup)
  checkCount(name, 'total', total)
  if (warmup > total) throw new RangeError(`schedule ${name}: warmup ${warmup} exceeds total ${total}`)
  if (!(floor >= 0 && floor <= 1)) throw new RangeError(`schedule ${name}: floor: got ${floor}, expected 0 to 1`)
  return step => {
    if (step < warmup) return (step + 1) / warmup
    if (step >= total) return floor
    return floor + (1 - floor) * shape((step - warmup) / (total - warmup))
  }
}

function checkCount(schedule: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`schedule ${schedule}: ${name}: got ${value}, expected a whole number of at least 0`)
  }
}
