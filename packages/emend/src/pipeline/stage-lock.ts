/** One process at a time in a stage's folder, also when the one before was orphaned and is still saving. */

import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmendError } from '../errors.js'

/**
 * Takes the lock of `folder`, waiting for its holder to leave. A lock whose process is gone is taken over.
 * @returns a function that gives the lock back.
 * @throws EmendError naming the process that still holds it after `waitMs`.
 */
export async function lockStage(folder: string, waitMs = 60_000): Promise<() => void> {
  const path = join(folder, 'stage.lock')
  for (const start = Date.now(); ; ) {
    try {
      const file = openSync(path, 'wx')
      writeSync(file, `${process.pid} ${startOf(process.pid) ?? ''}\n`)
      closeSync(file)
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readHolder(path)
    if (holder && !isAlive(holder.pid, holder.start)) {
      removeLock(path, holder)
    } else if (Date.now() - start > waitMs) {
      throw new EmendError(`${folder} is in use by process ${holder?.pid ?? 'unknown'}; wait for it or end it`)
    } else {
      await sleep(100)
    }
  }
}

/** Removes the lock of a holder who is gone; not one that somebody else, who saw the same, has taken meanwhile. */
function removeLock(path: string, gone: Holder): void {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  const taken = readHolder(aside)
  const theirs = taken?.pid !== gone.pid || taken.start !== gone.start
  try {
    if (theirs) linkSync(aside, path)
  } catch {
    // A third one was quicker still.
  }
  rmSync(aside, { force: true })
}

interface Holder {
  readonly pid: number
  readonly start: string
}

function readHolder(path: string): Holder | undefined {
  try {
    const [, pid, start] = /^(\d+) (\S*)\n/.exec(readFileSync(path, 'utf8')) ?? []
    // Between its making and its first line a lock is empty: whoever made it is alive.
    return pid === undefined ? undefined : { pid: Number(pid), start: start! }
  } catch {
    return undefined
  }
}

function isAlive(pid: number, start: string): boolean {
  if (process.platform === 'linux') return startOf(pid) === start
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When a process started, in clock ticks since boot: tells it from a later one of the same number. Linux only. */
function startOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    const isZombie = fields[0] === 'Z'
    return isZombie ? undefined : fields[19]
  } catch {
    return undefined
  }
}
