/** The list at the side: what is pending, done, discarded, skipped. */
import { useEffect, useState } from 'preact/hooks'
import { type Counts, get, type ListedItem, type Status } from './api'
import { Marked } from './visible'

const TABS: readonly (readonly [Status, string])[] = [
  ['pending', 'Pending'],
  ['claimed', 'In hand'],
  ['done', 'Done'],
  ['discarded', 'Discarded'],
  ['skipped', 'Skipped'],
]

export interface QueueProps {
  readonly counts: Counts
  readonly current: string | undefined
  readonly annotator: string
  onChoose(id: string): void
  onRename(name: string): void
}

export function Queue({ counts, current, annotator, onChoose, onRename }: QueueProps) {
  const [status, setStatus] = useState<Status>('pending')
  const [pages, setPages] = useState(1)
  const [items, setItems] = useState<readonly ListedItem[]>([])
  useEffect(() => {
    let wanted = true
    const read = (page: number) => get<{ items: ListedItem[] }>(`/api/items?status=${status}&page=${page}`)
    Promise.all(Array.from({ length: pages }, (_, page) => read(page)))
      .then(lists => wanted && setItems(lists.flatMap(list => list.items)))
      // Without a connection the list stays as it was; the header says why.
      .catch(() => {})
    return () => {
      wanted = false
    }
  }, [status, pages, current, counts])
  const total = counts[status]
  return (
    <nav class="queue" aria-label="Items">
      <div class="filters">
        {TABS.map(([name, label]) => (
          <button
            type="button"
            key={name}
            aria-pressed={status === name}
            data-status={name}
            onClick={() => {
              setStatus(name)
              setPages(1)
            }}
          >
            {label} <b>{counts[name]}</b>
          </button>
        ))}
      </div>
      <ul>
        {items.map(({ id, excerpt, why, reason, annotator: by }) => (
          <li key={id}>
            <button type="button" aria-current={id === current ? 'true' : undefined} onClick={() => onChoose(id)}>
              <span class="excerpt" dir="auto">
                <Marked text={excerpt || '(empty)'} />
              </span>
              {(why || by) && (
                <small>
                  {why === 'no-edit-needed' ? 'no edit needed' : why === 'cannot-be-fixed' ? 'cannot be fixed' : ''}
                  {reason && `: ${reason}`}
                  {by && ` ${by}`}
                </small>
              )}
            </button>
          </li>
        ))}
      </ul>
      {items.length === 0 && <p class="soft">None.</p>}
      {items.length < total && items.length > 0 && (
        <button type="button" class="more" onClick={() => setPages(pages + 1)}>
          More
        </button>
      )}
      <label class="who">
        You are
        <input
          value={annotator}
          maxLength={80}
          onChange={event => {
            const name = event.currentTarget.value.trim()
            if (name && name !== annotator) onRename(name)
          }}
        />
      </label>
    </nav>
  )
}
