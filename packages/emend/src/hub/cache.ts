/** Where models from a hub lie on this machine: the layout that Hugging Face's own tools share. */
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The name of a model on a hub: `ORG/NAME`, or `ORG/NAME@REVISION`. */
export const REPOSITORY = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w./-]+))?$/

/** The cache folder: HF_HUB_CACHE, or `hub` in HF_HOME, or `~/.cache/huggingface/hub`. */
export function hubCache(env: NodeJS.ProcessEnv = process.env): string {
  const home = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface')
  return env['HF_HUB_CACHE'] ?? env['HUGGINGFACE_HUB_CACHE'] ?? join(home, 'hub')
}

/** Of one model: `blobs` by their hashes, `snapshots/COMMIT` with links to them, `refs/REVISION` with a commit in it. */
export function repositoryFolder(repository: string, cache: string): string {
  return join(cache, `models--${repository.replaceAll('/', '--')}`)
}
