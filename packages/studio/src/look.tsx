/** Any text through the reward model, two side by side. */
import { useState } from 'preact/hooks'
import type { Studio } from './api'
import { Heats } from './heat'
import { useKeys } from './use-keys'

export interface LookedAt {
  readonly prompt: string
  readonly first: string
  readonly second: string
}

export interface LookProps {
  readonly studio: Studio
  readonly at: LookedAt
  onBack(): void
  onKeys(): void
}

export function Look({ studio, at, onBack, onKeys }: LookProps) {
  useKeys({ look: onBack, keys: onKeys })
  const [{ prompt, first, second }, set] = useState(at)
  const change = (part: Partial<LookedAt>) => set(before => ({ ...before, ...part }))
  if (!studio.reward)
    return (
      <main class="look">
        <h1>Look</h1>
        <p>
          No reward model is open. Start the studio with <code>--reward DIR</code>, or <code>--from</code> a run of{' '}
          <code>emend demo</code>.
        </p>
      </main>
    )
  const texts = [
    { label: 'First response', text: first },
    { label: 'Second response', text: second },
  ].filter(({ text }) => text !== '')
  return (
    <main class="look">
      <h1>Look</h1>
      <p class="soft">
        What <b>{studio.reward.name}</b> ({studio.reward.kind}) makes of every token. Green is paid, red is charged.
      </p>
      <Field label="Prompt" rows={6} value={prompt} onChange={value => change({ prompt: value })} />
      <div class="columns">
        <Field label="First response" rows={5} value={first} onChange={value => change({ first: value })} />
        <Field label="Second response" rows={5} value={second} onChange={value => change({ second: value })} />
      </div>
      <Heats prompt={prompt} texts={texts} />
    </main>
  )
}

interface FieldProps {
  label: string
  rows: number
  value: string
  onChange(value: string): void
}

const Field = ({ label, rows, value, onChange }: FieldProps) => (
  <label class="field">
    {label}
    <textarea dir="auto" rows={rows} value={value} onInput={event => onChange(event.currentTarget.value)} />
  </label>
)
