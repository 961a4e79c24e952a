/** A text as a heat over its tokens, as a reward model reads it. */
import type { Prompt } from '@emend/edits'
import { useEffect, useState } from 'preact/hooks'
import { type Heat, post } from './api'
import { Marked } from './visible'

const PAUSE = 250

/** Reads each text a moment after it last changed. */
export function Heats({ prompt, texts }: { prompt: Prompt; texts: readonly { label: string; text: string }[] }) {
  return (
    <div class="heats">
      {texts.map(({ label, text }) => (
        <HeatOf key={label} prompt={prompt} label={label} text={text} />
      ))}
    </div>
  )
}

function HeatOf({ prompt, label, text }: { prompt: Prompt; label: string; text: string }) {
  const [read, setRead] = useState<{ heat: Heat } | { problem: string }>()
  useEffect(() => {
    if (typeof prompt !== 'string') {
      setRead({ problem: 'The prompt is a conversation; only prompts that are one text can be read.' })
      return
    }
    let current = true
    const timer = setTimeout(() => {
      post<Heat>('/api/score', { prompt, response: text.toWellFormed() })
        .then(heat => ({ heat }))
        .catch((error: Error) => ({ problem: error.message }))
        .then(result => current && setRead(result))
    }, PAUSE)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [prompt, text])
  const heat = read && 'heat' in read ? read.heat : undefined
  return (
    <figure class="heat" aria-label={`Token rewards: ${label}`}>
      <figcaption>
        {label}
        {heat && <b data-total={heat.total}>{heat.total.toFixed(4)}</b>}
      </figcaption>
      {read && 'problem' in read && <p class="soft">{read.problem}</p>}
      {heat && <Tokens {...heat} />}
    </figure>
  )
}

function Tokens({ tokens, full }: Heat) {
  return (
    <>
      <div class="text tokens" dir="auto">
        {tokens.map(token => (
          <span
            class={token.reward < 0 ? 'token low' : 'token'}
            style={{ '--heat': Math.min(1, Math.abs(token.reward) / full).toFixed(3) }}
            data-reward={token.reward}
            title={token.reward.toFixed(4)}
          >
            <Piece {...token} />
          </span>
        ))}
      </div>
      <details>
        <summary>Numbers</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">Token</th>
              <th scope="col">Reward</th>
            </tr>
          </thead>
          <tbody>
            {tokens.map(token => (
              <tr>
                <td class="text">
                  <Piece {...token} />
                </td>
                <td>{token.reward.toFixed(4)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  )
}

/** What a token stands for. A character of several tokens is shown by its last one. */
function Piece({ text, start, end }: Heat['tokens'][number]) {
  if (text !== '') return <Marked text={text} />
  return <span class="mark">{start === end ? 'end' : '…'}</span>
}
