/** Ctrl-C as an AbortSignal, so that work can checkpoint before it leaves. */

/** Set in the environment of a child process that runs one stage. */
export const STAGE_CHILD = 'EMEND_STAGE_CHILD'

let controller: AbortController | undefined

/**
 * The process's signal: aborted by the first SIGINT or SIGTERM, and in a stage's child process also when its parent is gone.
 * A second Ctrl-C, a second later or more, ends the process at once; a child leaves that decision to its parent, since a
 * terminal sends Ctrl-C to both.
 *
 * Signals arrive when the event loop turns: a loop of synchronous steps must await something between them.
 */
export function interruptSignal(): AbortSignal {
  if (controller) return controller.signal
  const own = new AbortController()
  controller = own
  const isChild = process.env[STAGE_CHILD] !== undefined
  let first = 0
  const stop = () => {
    if (!own.signal.aborted) {
      first = Date.now()
      own.abort()
    } else if (!isChild && Date.now() - first >= 1000) {
      process.exit(130)
    }
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  if (isChild) process.once('disconnect', stop)
  return own.signal
}
