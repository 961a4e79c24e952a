/** Red lines in the editor: what was inserted underlined, what was deleted struck in its place; renewed with every keystroke. */

import { type Extension, type Range, StateEffect } from '@codemirror/state'
import {
  Decoration,
  type DecorationSet,
  type EditorView,
  ViewPlugin,
  type ViewUpdate,
  WidgetType,
} from '@codemirror/view'
import { type EditOp, IncrementalDiff } from '@emend/edits'
import { markedNodes } from './visible'

/** A deleted text longer than this is shown by its two ends. */
const LONGEST_DELETED = 600
/** Milliseconds without a keystroke after which the whole is compared again. */
const QUIET = 1200

/** Ends a composition, or a pause: the lines are drawn anew. */
const redraw = StateEffect.define<'settle' | 'update'>()

const inserted = Decoration.mark({ tagName: 'ins', class: 'inserted' })

class Deleted extends WidgetType {
  constructor(readonly text: string) {
    super()
  }

  override eq(other: Deleted): boolean {
    return other.text === this.text
  }

  override toDOM(): HTMLElement {
    const element = document.createElement('del')
    element.className = 'deleted'
    // Its own direction: a struck word must not turn its neighbours around.
    element.dir = 'auto'
    element.append(...markedNodes(this.#shown().replaceAll('\n', '↵\n')))
    return element
  }

  override get lineBreaks(): number {
    return this.#shown().split('\n').length - 1
  }

  #shown(): string {
    const { length } = this.text
    if (length <= LONGEST_DELETED) return this.text
    return `${this.text.slice(0, 250)} … ${length - 500} characters … ${this.text.slice(-250)}`
  }

  override ignoreEvent(): boolean {
    return false
  }
}

/** What the page shows beside the editor. */
export interface Edited {
  readonly final: string
  readonly ops: readonly EditOp[]
}

/**
 * @param draft what was there at first
 * @param onEdit told the text and its operations after each change
 */
export function redLines(draft: string, onEdit: (edited: Edited) => void): Extension {
  return ViewPlugin.fromClass(
    class {
      readonly diff: IncrementalDiff
      decorations: DecorationSet
      #timer: ReturnType<typeof setTimeout> | undefined

      constructor(readonly view: EditorView) {
        this.diff = new IncrementalDiff(draft, view.state.doc.toString())
        this.decorations = this.#draw()
        queueMicrotask(() => onEdit({ final: this.diff.final, ops: this.diff.ops }))
      }

      update(update: ViewUpdate): void {
        const asked = update.transactions.flatMap(({ effects }) => effects).find(effect => effect.is(redraw))
        if (!update.docChanged && !asked) return
        if (update.docChanged) this.diff.update(update.state.doc.toString())
        if (asked?.value === 'settle') this.diff.settle()
        else this.#settleLater()
        // An input method holds on to the nodes it composes in: they are left alone until it is done.
        if (update.view.composing && !asked) this.decorations = this.decorations.map(update.changes)
        else this.decorations = this.#draw()
        onEdit({ final: this.diff.final, ops: this.diff.ops })
      }

      #draw(): DecorationSet {
        const ranges: Range<Decoration>[] = []
        for (const { draft: before, final: after } of this.diff.ops) {
          if (before[1] > before[0]) {
            const widget = new Deleted(draft.slice(...before))
            ranges.push(Decoration.widget({ widget, side: -1 }).range(after[0]))
          }
          if (after[1] > after[0]) ranges.push(inserted.range(after[0], after[1]))
        }
        return Decoration.set(ranges, true)
      }

      #settleLater(): void {
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => this.view.dispatch({ effects: redraw.of('settle') }), QUIET)
      }

      composed(): void {
        setTimeout(() => this.view.dispatch({ effects: redraw.of('update') }))
      }

      destroy(): void {
        clearTimeout(this.#timer)
      }
    },
    {
      decorations: plugin => plugin.decorations,
      eventHandlers: {
        compositionend() {
          this.composed()
        },
      },
    },
  )
}
