/** Keys: one table for what they do and for what `?` shows. All of them work inside the text box. */

export type Action =
  | 'submit'
  | 'no-edit'
  | 'cannot'
  | 'skip'
  | 'undo'
  | 'reset'
  | 'preferred'
  | 'heat'
  | 'lines'
  | 'queue'
  | 'look'
  | 'keys'

const isMac = /mac/i.test(navigator.platform)
/** Alt alone types letters on a Mac. */
const ALT = isMac ? '⌃⌥' : 'Alt+'
const CTRL = isMac ? '⌘' : 'Ctrl+'

/** Letter by action, with Alt (Control and Option on a Mac). */
const LETTERS: Partial<Record<Action, string>> = {
  'no-edit': 'N',
  cannot: 'X',
  skip: 'S',
  undo: 'U',
  reset: 'R',
  preferred: 'P',
  heat: 'H',
  lines: 'M',
  queue: 'Q',
  look: 'L',
}

export const keyOf = (action: Action): string => {
  if (action === 'submit') return `${CTRL}Enter`
  if (action === 'keys') return `${CTRL}/`
  return ALT + LETTERS[action]
}

export const tagKey = (i: number): string => `${ALT}${i + 1}`

/** What each does, in the order of the list. */
export const meanings: readonly (readonly [Action, string])[] = [
  ['submit', 'Submit the edit'],
  ['no-edit', 'No edit needed'],
  ['cannot', 'Cannot be fixed by small edits'],
  ['skip', 'Skip: nobody is offered it again'],
  ['undo', 'Take back the last decision'],
  ['reset', 'Begin again from the draft'],
  ['preferred', 'Show or hide the preferred response'],
  ['heat', 'Show or hide token rewards'],
  ['lines', 'Show or hide what was deleted'],
  ['queue', 'To the list and back'],
  ['look', 'Look at any text through the reward model, and back'],
  ['keys', 'These keys (also ? outside the text)'],
]

/** What a key press asks for: an action, or the number of a tag from 0. */
export function asked(event: KeyboardEvent): Action | number | undefined {
  if (event.isComposing) return undefined
  const command = isMac ? event.metaKey : event.ctrlKey
  if (command && !event.altKey && event.key === 'Enter') return 'submit'
  if (command && !event.altKey && event.key === '/') return 'keys'
  const typing =
    event.target instanceof HTMLElement &&
    event.target.matches('input, textarea, [contenteditable] *, [contenteditable]')
  if (event.key === '?' && !typing) return 'keys'
  // AltGr types characters: on Windows it is Control and Alt together.
  if (!event.altKey || event.metaKey || event.ctrlKey !== isMac) return undefined
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1]
  if (digit) return Number(digit) - 1
  const letter = /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : event.code.replace(/^Key/, '')
  return (Object.keys(LETTERS) as Action[]).find(action => LETTERS[action] === letter)
}
