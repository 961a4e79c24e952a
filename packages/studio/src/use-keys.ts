/** Listens for the keys of what is on the page, wherever the focus is. */
import { useLayoutEffect, useRef } from 'preact/hooks'
import { type Action, asked } from './keys'

/** @param tag what Alt and a number from 0 does, where there are tags */
export function useKeys(act: Partial<Record<Action, () => void>>, tag?: (i: number) => void): void {
  const latest = useRef({ act, tag })
  latest.current = { act, tag }
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // A dialog has its own keys.
      if (document.querySelector('dialog[open]')) return
      const wanted = asked(event)
      const { act, tag } = latest.current
      const does = typeof wanted === 'number' ? tag && (() => tag(wanted)) : wanted && act[wanted]
      if (!does) return
      event.preventDefault()
      event.stopPropagation()
      does()
    }
    addEventListener('keydown', onKey, { capture: true })
    return () => removeEventListener('keydown', onKey, { capture: true })
  }, [])
}
