/** What a run of `emend demo` leaves for the studio: replies to edit, and a reward model to look through. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Edit, parseEdit } from '@emend/edits'
import type { NewItem } from '../../data/store/index.js'
import { EmendError } from '../../errors.js'

export interface RunContent {
  readonly items: readonly NewItem[]
  readonly reward?: string
  readonly tokenizer?: string
}

/** The reward models a demo may have trained, the one of single tokens first. */
const REWARDS = ['reward-edits-token', 'reward-edits-sequence', 'reward-preferences-sequence']

/**
 * Reads a run's folder: its SFT model's replies on held-out prompts with a better one beside each, and the paths of its reward
 * model and tokenizer.
 *
 * @throws EmendError where the folder is no such run
 */
export function contentOfRun(folder: string): RunContent {
  const replies = join(folder, 'pairs', 'held-out-edits.jsonl')
  if (!existsSync(replies))
    throw new EmendError(`${folder}: no run of emend demo (it has no pairs/held-out-edits.jsonl)`)
  const preferred = betterReplies(join(folder, 'pairs', 'held-out-preferences.jsonl'))
  const items = lines(replies).map((line, i): NewItem => {
    const { prompt, draft, sampled } = parseEdit(line, `${replies}:${i + 1}`)
    const better = preferred.get(key(prompt, draft))
    return {
      prompt,
      response: draft,
      source: sourceOf(folder),
      ...(better && { preferred: better }),
      ...(sampled && { sampled }),
    }
  })
  const reward = REWARDS.map(name => join(folder, name, 'model')).find(path => existsSync(join(path, 'reward.json')))
  const tokenizer = join(folder, 'tokenizer')
  return {
    items,
    ...(reward && { reward }),
    ...(existsSync(join(tokenizer, 'tokenizer.json')) && { tokenizer }),
  }
}

/** What drafts that came from a run say of where they come from. */
export const sourceOf = (folder: string): string => `${folder}, SFT model`

/** The run of `emend demo` that ended last, if there is one in the usual place. */
export function latestDemo(folder = 'runs'): string | undefined {
  if (!existsSync(folder)) return undefined
  const runs = readdirSync(folder)
    .filter(name => name.startsWith('demo'))
    .map(name => join(folder, name))
    .filter(path => existsSync(join(path, 'pairs', 'held-out-edits.jsonl')))
  return runs.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0]
}

function betterReplies(path: string): Map<string, string> {
  if (!existsSync(path)) return new Map()
  const pairs = lines(path) as { prompt: Edit['prompt']; chosen: { text: string }; rejected: { text: string } }[]
  return new Map(pairs.map(({ prompt, chosen, rejected }) => [key(prompt, rejected.text), chosen.text]))
}

const key = (prompt: Edit['prompt'], draft: string) => JSON.stringify([prompt, draft])

const lines = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as unknown)
