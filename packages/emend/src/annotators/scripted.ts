/** Annotators that are programs: a world's simulated people, or anyone's module. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EmendError, oneLine, UsageError } from '../errors.js'
import { readStay } from '../worlds/concierge/read-stay.js'
import { concierge } from '../worlds/index.js'
import type { Annotator, Edited } from './annotator.js'

/** Every world whose people can edit. */
const WORLDS: Readonly<Record<string, (seed: number) => Annotator>> = { concierge: conciergePeople }

/**
 * The annotator of a name.
 *
 * @param name a world, or the path of a module whose default export is `(draft) => final | {final, reasons?} | {rejected}`, async
 *   or not; the module's `name`, if exported, signs the edits
 * @param seed of what a world's people miss and touch
 * @throws UsageError where there is neither; EmendError where the module cannot be loaded or exports no function
 */
export async function scriptedAnnotator(name: string, seed = 0): Promise<Annotator> {
  const world = WORLDS[name]
  if (world) return world(seed)
  if (!/\.[cm]?js$/.test(name))
    throw new UsageError(`--world ${name}: expected ${Object.keys(WORLDS).join(' or ')}, or the path of a .mjs module`)
  let module: { default?: unknown; name?: unknown }
  try {
    module = (await import(pathToFileURL(resolve(name)).href)) as typeof module
  } catch (error) {
    throw new EmendError(`${name}: the module cannot be loaded: ${oneLine(error)}`, { cause: error })
  }
  const edit = module.default
  if (typeof edit !== 'function')
    throw new EmendError(`${name}: its default export is no function; expected (draft) => final`)
  return {
    by: { kind: 'script', name: typeof module.name === 'string' && module.name ? module.name : name },
    edit: async draft => checked(name, await (edit as (draft: unknown) => unknown)(draft)),
  }
}

function checked(name: string, answer: unknown): Edited {
  if (typeof answer === 'string') return { final: answer }
  const { final, rejected } = (answer ?? {}) as Record<string, unknown>
  if (typeof final === 'string' || typeof rejected === 'string') return answer as Edited
  throw new EmendError(`${name}: expected a text, {final} or {rejected}; got ${JSON.stringify(answer)}`)
}

/** Concierge's people: they mend most defects where they stand, miss some, and sometimes touch what was fine. */
function conciergePeople(seed: number): Annotator {
  return {
    by: { kind: 'script', name: concierge.name },
    async edit({ prompt, draft }) {
      const stay = typeof prompt === 'string' ? readStay(prompt) : undefined
      if (!stay) return { rejected: 'the prompt is not one of Concierge' }
      return { final: concierge.edit(stay, draft, true, seed).final }
    },
  }
}
