/** The text box: CodeMirror with red lines, any script and direction, hidden characters as marks. */
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, highlightSpecialChars, keymap } from '@codemirror/view'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { type Edited, redLines } from './red-lines'
import { HIDDEN, markElement } from './visible'

export interface EditorProps {
  /** the text before any edit */
  readonly response: string
  /** the text to begin with */
  readonly start: string
  readonly readOnly: boolean
  onEdit(edited: Edited): void
  /** given the view once it is there */
  onView(view: EditorView): void
}

/** One text box for one item; another item is another component (`key`). */
export function Editor({ response, start, readOnly, onEdit, onView }: EditorProps) {
  const place = useRef<HTMLDivElement>(null)
  const told = useRef(onEdit)
  told.current = onEdit
  const made = useRef<EditorView>(null)
  const writable = useRef(new Compartment()).current
  // Before the next key press, not after the next frame.
  useLayoutEffect(() => {
    const view = new EditorView({
      parent: place.current!,
      doc: start,
      extensions: [
        // A carriage return is a character like any other: what was not edited stays as it is, byte for byte.
        EditorState.lineSeparator.of('\n'),
        EditorView.clipboardInputFilter.of(text => text.replace(/\r\n?/g, '\n')),
        writable.of(EditorState.readOnly.of(readOnly)),
        EditorView.lineWrapping,
        EditorView.perLineTextDirection.of(true),
        EditorView.contentAttributes.of({
          'aria-label': 'Response',
          'aria-describedby': 'editor-hint',
          dir: 'auto',
          spellcheck: 'true',
          autocorrect: 'off',
          autocapitalize: 'off',
        }),
        EditorView.cspNonce.of(document.querySelector<HTMLMetaElement>('meta[name=nonce]')?.content ?? ''),
        highlightSpecialChars({ specialChars: HIDDEN, render: code => markElement(code) }),
        redLines(response, edited => told.current(edited)),
        history(),
        keymap.of([...historyKeymap, ...defaultKeymap]),
      ],
    })
    made.current = view
    onView(view)
    return () => view.destroy()
  }, [])
  useLayoutEffect(() => {
    made.current?.dispatch({ effects: writable.reconfigure(EditorState.readOnly.of(readOnly)) })
  }, [readOnly])
  return <div class="editor" ref={place} />
}
