/** The middle of the page: a prompt, its response in the editor, what one may decide. */

import { isolateHistory } from '@codemirror/commands'
import type { EditorView } from '@codemirror/view'
import { checkEdit, type Prompt, wordEditRatio } from '@emend/edits'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Item } from './api'
import type { Desk, DeskState } from './desk'
import { Editor } from './editor'
import { Heats } from './heat'
import { type Action, keyOf, tagKey } from './keys'
import type { Edited } from './red-lines'
import { useKeys } from './use-keys'
import { Marked } from './visible'

/** An edit that changes less can be no rewrite, which takes long to find out. */
const REWRITE = 0.4

export interface AnnotateProps {
  readonly desk: Desk
  readonly state: DeskState
  onLook(): void
  onKeys(): void
}

export function Annotate({ desk, state, onLook, onKeys }: AnnotateProps) {
  const { item, notice } = state
  return (
    <main class="annotate">
      {notice && (
        <p class="notice" role="alert">
          {notice}{' '}
          <button type="button" class="plain" onClick={() => desk.dismiss()}>
            Dismiss
          </button>
        </p>
      )}
      {item === undefined && <p class="soft">Opening …</p>}
      {item === null && <Nothing desk={desk} state={state} onLook={onLook} onKeys={onKeys} />}
      {item && (
        // Another item is another component, and so is the same item given anew.
        <Work key={state.serial} desk={desk} state={state} item={item} onLook={onLook} onKeys={onKeys} />
      )}
    </main>
  )
}

function Nothing({ desk, state, onLook, onKeys }: AnnotateProps) {
  const undo = () => void desk.undo()
  useKeys({ undo, look: onLook, keys: onKeys, queue: () => focusList() })
  const never = Object.values(state.counts).every(count => count === 0)
  return (
    <section class="nothing">
      <h1>{never ? 'No drafts are here yet' : 'Nothing is left to edit'}</h1>
      <p>
        New drafts appear here by themselves. <code>emend import FILE --queue</code> brings them into the store
        {never ? '.' : '; skipped ones stay in the list.'}
      </p>
      {!never && (
        <button type="button" onClick={undo}>
          Take back the last decision <kbd>{keyOf('undo')}</kbd>
        </button>
      )}
    </section>
  )
}

/** To the item at hand, the first one, or what chooses the list. */
const focusList = () =>
  document.querySelector<HTMLElement>('.queue [aria-current], .queue li button, .queue button')?.focus()

function Work({ desk, state, item, onLook, onKeys }: AnnotateProps & { item: Item }) {
  const { studio } = desk
  const { reasons, deciding, lost } = state
  const readOnly = item.wholeLength !== undefined
  const view = useRef<EditorView>(null)
  const [measured, setMeasured] = useState<Measured>({ ratio: 0, changes: 0, rewrite: false })
  const latest = useRef<Edited>(undefined)
  const [shown, setShown] = useState({ preferred: false, heat: false, deleted: true })
  const [why, setWhy] = useState(false)
  const [read, setRead] = useState(desk.text)
  const flip = (part: keyof typeof shown) => setShown(before => ({ ...before, [part]: !before[part] }))

  const onEdit = (edited: Edited) => {
    desk.type(edited.final)
    // Measured once a frame, when the red lines are drawn: a keystroke does not wait for it.
    if (!latest.current) requestAnimationFrame(measure)
    latest.current = edited
  }
  const measure = () => {
    const { final, ops } = latest.current!
    latest.current = undefined
    const ratio = wordEditRatio(item.response, final, ops)
    const rewrite =
      ratio > REWRITE && checkEdit({ draft: item.response, final, ops }).flags.includes('shares-too-little')
    setMeasured({ ratio, changes: ops.length, rewrite })
    setRead(final)
  }
  const toEditor = () => view.current?.focus()

  const act: Record<Action, () => void> = {
    submit: () => {
      if (readOnly) return
      if (desk.text === item.response)
        desk.say(`Nothing is changed yet. ${keyOf('no-edit')} says that no edit is needed.`)
      else if (desk.text.trim() === '') desk.say(`An empty text is no edit. ${keyOf('cannot')} discards the response.`)
      else desk.decide({ act: 'submit' })
    },
    'no-edit': () => desk.decide({ act: 'discard', why: 'no-edit-needed' }),
    cannot: () => setWhy(true),
    skip: () => desk.decide({ act: 'skip' }),
    undo: () => void desk.undo(),
    reset: () => {
      const { current } = view
      if (readOnly || !current) return
      current.dispatch({
        changes: { from: 0, to: current.state.doc.length, insert: item.response },
        // Undone by itself, not together with what was typed just before.
        annotations: isolateHistory.of('full'),
      })
      toEditor()
    },
    preferred: () => flip('preferred'),
    heat: () => {
      setRead(desk.text)
      flip('heat')
    },
    lines: () => flip('deleted'),
    queue: () => {
      if (document.activeElement?.closest('.queue')) toEditor()
      else focusList()
    },
    look: onLook,
    keys: onKeys,
  }
  useKeys(act, i => studio.reasons[i] !== undefined && desk.tag(studio.reasons[i]))

  const button = (action: Action, label: string, o: { primary?: boolean; disabled?: boolean } = {}) => (
    <button
      type="button"
      class={o.primary ? 'primary' : undefined}
      disabled={o.disabled || deciding || lost}
      onClick={act[action]}
      data-action={action}
    >
      {label} <kbd>{keyOf(action)}</kbd>
    </button>
  )
  return (
    <article aria-busy={deciding}>
      <section class="prompt" aria-label="Prompt">
        <h2>Prompt</h2>
        <div class="scroll" ref={toEnd}>
          <PromptText prompt={item.prompt} />
        </div>
      </section>
      <section class={shown.deleted ? 'response' : 'response clean'} aria-label="Response and its red lines">
        <h1>Response{item.edited && <small> edited before; a submission is its next version</small>}</h1>
        {readOnly && (
          <p class="notice">
            {item.wholeLength?.toLocaleString('en')} characters are too many to edit here: only the beginning is shown.
            Skip it, or say what is wrong with it.
          </p>
        )}
        <Editor
          response={item.response}
          start={readOnly ? item.response : desk.text}
          readOnly={readOnly || deciding}
          onEdit={onEdit}
          onView={made => {
            view.current = made
            if (!document.activeElement?.closest('dialog')) made.focus()
          }}
        />
        <p id="editor-hint" class="soft hint">
          Change only what must change. <kbd>{keyOf('keys')}</kbd> shows the keys.
        </p>
      </section>
      {lost && <Lost desk={desk} />}
      <Ratio {...measured} budget={studio.budget} />
      <fieldset class="tags">
        <legend>What was wrong</legend>
        {studio.reasons.map((reason, i) => (
          <button type="button" key={reason} aria-pressed={reasons.includes(reason)} onClick={() => desk.tag(reason)}>
            {reason} {i < 9 && <kbd>{tagKey(i)}</kbd>}
          </button>
        ))}
      </fieldset>
      <div class="actions">
        {button('submit', 'Submit', { primary: true, disabled: readOnly || measured.changes === 0 })}
        {button('no-edit', 'No edit needed')}
        {button('cannot', 'Cannot be fixed')}
        {button('skip', 'Skip')}
      </div>
      <div class="views">
        {item.preferred !== undefined && (
          <Toggle on={shown.preferred} label="Preferred response" action="preferred" act={act} />
        )}
        {studio.reward && <Toggle on={shown.heat} label="Token rewards" action="heat" act={act} />}
        <Toggle on={shown.deleted} label="Deleted words" action="lines" act={act} />
        <span class="gap" />
        {button('undo', 'Undo last')}
        {button('reset', 'Reset', { disabled: readOnly || measured.changes === 0 })}
      </div>
      {shown.preferred && item.preferred !== undefined && (
        <section class="preferred" aria-label="Preferred response">
          <h2>Preferred response</h2>
          <p class="text" dir="auto">
            <Marked text={item.preferred} />
          </p>
        </section>
      )}
      {shown.heat && studio.reward && (
        <Heats
          prompt={item.prompt}
          texts={[
            { label: 'Draft', text: item.response },
            { label: 'As edited', text: read },
          ]}
        />
      )}
      {why && (
        <Why
          onClose={reason => {
            setWhy(false)
            if (reason === undefined) return toEditor()
            desk.decide({ act: 'discard', why: 'cannot-be-fixed', ...(reason && { reason }) })
          }}
        />
      )}
    </article>
  )
}

/** What the response answers stands at the end of a prompt. */
const toEnd = (element: HTMLElement | null) => element?.scrollTo(0, element.scrollHeight)

const PromptText = ({ prompt }: { prompt: Prompt }) =>
  typeof prompt === 'string' ? (
    <div class="text" dir="auto">
      <Marked text={prompt} />
    </div>
  ) : (
    <ol class="turns">
      {prompt.map(({ role, content }) => (
        <li>
          <b>{role}</b>
          <div class="text" dir="auto">
            <Marked text={content} />
          </div>
        </li>
      ))}
    </ol>
  )

/** How much an edit changes. */
interface Measured {
  readonly ratio: number
  readonly changes: number
  readonly rewrite: boolean
}

function Ratio({ ratio, changes, rewrite, budget }: Measured & { budget: number }) {
  const over = ratio > budget
  return (
    <div class={over ? 'ratio over' : 'ratio'}>
      <div class="bar" aria-hidden="true">
        <i style={{ width: `${Math.min(100, 100 * ratio)}%` }} />
        <u style={{ left: `${100 * budget}%` }} />
      </div>
      <p role="status">
        <b data-ratio={ratio}>{ratio.toFixed(2)}</b> of the words changed, in {changes}{' '}
        {changes === 1 ? 'place' : 'places'}
        {over && `. Over the budget of ${budget}: is this still a small edit?`}
        {rewrite && ' It is a rewrite.'}
      </p>
    </div>
  )
}

const Toggle = ({
  on,
  label,
  action,
  act,
}: {
  on: boolean
  label: string
  action: Action
  act: Record<Action, () => void>
}) => (
  <button type="button" class="toggle" aria-pressed={on} onClick={act[action]}>
    {label} <kbd>{keyOf(action)}</kbd>
  </button>
)

const Lost = ({ desk }: { desk: Desk }) => (
  <p class="notice" role="alert">
    This item has become someone else’s: it lay here too long. Your text is kept, here and in the store.{' '}
    <button type="button" onClick={() => void navigator.clipboard.writeText(desk.text)}>
      Copy my text
    </button>{' '}
    <button type="button" onClick={() => void desk.next()}>
      Next item
    </button>
  </p>
)

/** Asks why a response cannot be fixed. */
function Why({ onClose }: { onClose(reason: string | undefined): void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [reason, setReason] = useState('')
  useLayoutEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} aria-labelledby="why" onCancel={() => onClose(undefined)}>
      <form
        onSubmit={event => {
          event.preventDefault()
          onClose(reason.trim())
        }}
      >
        <h2 id="why">Cannot be fixed by small edits</h2>
        <label class="field">
          Why?
          <input dir="auto" maxLength={2000} value={reason} onInput={event => setReason(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="submit" class="primary">
            Discard it <kbd>Enter</kbd>
          </button>
          <button type="button" onClick={() => onClose(undefined)}>
            Keep editing <kbd>Esc</kbd>
          </button>
        </div>
      </form>
    </dialog>
  )
}
