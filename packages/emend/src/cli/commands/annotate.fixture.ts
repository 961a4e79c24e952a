/** `emend annotate` in a process of its own, on a store and a file of calls in a folder of their own, against a local server. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readEditorMessages } from '../../annotators/editor-prompt.js'
import { Store } from '../../data/store/index.js'
import type { ChatServerOptions } from '../../providers/chat-server.fixture.js'

const command = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

export interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<{ code: number | null; out: string; err: string }>
}

export function emend(args: readonly string[], env: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(process.execPath, [command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let out = ''
  let err = ''
  child.stdout!.on('data', data => {
    out += data
  })
  child.stderr!.on('data', data => {
    err += data
  })
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, out, err })) }
}

/** Mends one word of each draft. */
export const reply: ChatServerOptions['reply'] = ({ messages }) =>
  `<final>${readEditorMessages(messages).draft.replace('were', 'was')}</final>`

/** A folder with what one test needs. */
export class Desk {
  // In memory where there is such a place: what is tested is the end of processes, not of machines, and disks are slow to sync.
  readonly folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'emend-annotate-'))
  readonly store = this.file('emend.db')
  readonly calls = this.file('calls.db')
  readonly places = ['--store', this.store, '--calls', this.calls]

  file(name: string): string {
    return join(this.folder, name)
  }

  /** Puts drafts into the queue. */
  async fill(n: number): Promise<void> {
    await using store = await Store.open(this.store)
    await store.addItems(
      Array.from({ length: n }, (_, i) => ({
        prompt: `Where is parcel ${i}?`,
        response: `Your parcel number ${i} were sent on Monday, and it will reach you soon.`,
      })),
    )
  }

  annotate(url: string, ...args: readonly string[]): Run {
    return emend(this.arguments(url, ...args))
  }

  arguments(url: string, ...args: readonly string[]): string[] {
    const model = ['--llm', 'openai-compatible:m', '--base-url', url]
    return ['annotate', '--by', 'llm', '--json', ...this.places, ...model, ...args]
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
