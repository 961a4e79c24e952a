/** A name for this window, so that two windows never hold one item; kept on reload, taken over after a crash. */
import { remember, remembered, rememberedNames } from './remembered'

/** A tab keeps `window.name` when it is reloaded. */
const MARK = 'emend:'

/**
 * The window's name, and the item it held when it was last open.
 *
 * Each open window holds a lock on its name. One whose lock is free belongs to a window that was reloaded, or whose browser
 * crashed, and is taken over with its item; a duplicated tab finds its name locked and takes another.
 */
export async function windowName(): Promise<{ name: string; item: string | undefined }> {
  const own = window.name.startsWith(MARK) ? window.name.slice(MARK.length) : undefined
  const orphans = rememberedNames('window.').map(key => key.slice('window.'.length))
  for (const name of new Set([...(own === undefined ? [] : [own]), ...orphans])) {
    if (await take(name)) return { name, item: remembered<string>(`window.${name}`) }
  }
  const name = crypto.getRandomValues(new Uint32Array(2)).join('-')
  await take(name)
  return { name, item: undefined }
}

/** Writes down which item a window holds. */
export function holds(name: string, item: string | undefined): void {
  remember(`window.${name}`, item)
}

function take(name: string): Promise<boolean> {
  // Without locks (no secure context) a reloaded tab still knows its own name.
  if (!navigator.locks) return Promise.resolve(keep(name, window.name === MARK + name))
  return new Promise(resolve => {
    void navigator.locks.request(`emend.window.${name}`, { ifAvailable: true }, lock => {
      resolve(keep(name, lock !== null))
      // Held until the window is gone.
      return lock && new Promise<void>(() => {})
    })
  })
}

function keep(name: string, taken: boolean): boolean {
  if (taken) window.name = MARK + name
  return taken
}
