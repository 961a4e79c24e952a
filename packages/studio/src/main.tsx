/** The page: a header, the list at the side, and what is worked on. */
import { render } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Annotate } from './annotate'
import { Desk, readStudio } from './desk'
import { keyOf, meanings, tagKey } from './keys'
import { Look, type LookedAt } from './look'
import { Queue } from './queue'
import './style.css'
import { setTheme, type Theme, theme } from './theme'
import { windowName } from './window-name'

const THEMES: readonly Theme[] = ['system', 'light', 'dark']
const SYNC = { saved: 'Saved', saving: 'Saving …', offline: 'Offline: kept here, sent when the connection is back' }

function App({ desk }: { desk: Desk }) {
  const [state, setState] = useState(desk.state)
  const [look, setLook] = useState<LookedAt>()
  const [keys, setKeys] = useState(false)
  const [shade, setShade] = useState(theme())
  useEffect(() => desk.subscribe(() => setState(desk.state)), [])
  const { item } = state
  const openLook = () =>
    setLook({
      prompt: typeof item?.prompt === 'string' ? item.prompt : '',
      first: item?.response ?? '',
      second: item && desk.text !== item.response ? desk.text : '',
    })
  return (
    <>
      <header>
        <span class="brand">Emend</span>
        <nav class="tabs" aria-label="Views">
          <button type="button" aria-current={look ? undefined : 'page'} onClick={() => setLook(undefined)}>
            Edit
          </button>
          <button type="button" aria-current={look ? 'page' : undefined} onClick={openLook}>
            Look
          </button>
        </nav>
        <span class={`sync ${state.sync}`} role="status">
          {SYNC[state.sync]}
        </span>
        <button
          type="button"
          class="plain"
          onClick={() => {
            const next = THEMES[(THEMES.indexOf(shade) + 1) % THEMES.length]!
            setTheme(next)
            setShade(next)
          }}
        >
          Theme: {shade}
        </button>
        <button type="button" class="plain" onClick={() => setKeys(true)}>
          Keys <kbd>?</kbd>
        </button>
      </header>
      <div class={look ? 'page wide' : 'page'}>
        {look ? (
          <Look studio={desk.studio} at={look} onBack={() => setLook(undefined)} onKeys={() => setKeys(true)} />
        ) : (
          <>
            <Queue
              counts={state.counts}
              current={item?.id}
              annotator={desk.annotator}
              onChoose={id => void desk.choose(id)}
              onRename={name => void desk.rename(name)}
            />
            <Annotate desk={desk} state={state} onLook={openLook} onKeys={() => setKeys(true)} />
          </>
        )}
      </div>
      {keys && <Keys reasons={desk.studio.reasons} onClose={() => setKeys(false)} />}
    </>
  )
}

function Keys({ reasons, onClose }: { reasons: readonly string[]; onClose(): void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const { current } = dialog
    current?.showModal()
    // The button at the end has the focus; in a low window that would hide the beginning.
    current?.scrollTo(0, 0)
  }, [])
  return (
    <dialog ref={dialog} aria-labelledby="keys" onClose={onClose}>
      <h2 id="keys">Keys</h2>
      <p class="soft">All of them work inside the text.</p>
      <table class="keys">
        <tbody>
          {meanings.map(([action, meaning]) => (
            <tr>
              <td>{meaning}</td>
              <td>
                <kbd>{keyOf(action)}</kbd>
              </td>
            </tr>
          ))}
          {reasons.slice(0, 9).map((reason, i) => (
            <tr>
              <td>Tag: {reason}</td>
              <td>
                <kbd>{tagKey(i)}</kbd>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <form method="dialog">
        <button type="submit" class="primary">
          Close <kbd>Esc</kbd>
        </button>
      </form>
    </dialog>
  )
}

/** Waits for the studio where it does not answer yet. */
async function begin(): Promise<void> {
  try {
    const [studio, { name, item }] = await Promise.all([readStudio(), windowName()])
    const desk = new Desk(studio, name)
    render(<App desk={desk} />, document.body)
    await desk.open(item)
  } catch (error) {
    document.body.textContent = `${(error as Error).message}. Trying again …`
    setTimeout(() => {
      document.body.textContent = ''
      void begin()
    }, 2000)
  }
}

void begin()
