/** Names of models on a hub → the folders or files in the cache that `emend pull` filled. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EmendError } from '../errors.js'
import { hubCache, REPOSITORY, repositoryFolder } from './cache.js'

/**
 * Where a model lies: a path that is there is itself; `ORG/NAME` and `ORG/NAME@REVISION` (a branch, tag or commit; default main)
 * are looked up in the cache. Nothing is fetched.
 *
 * @returns a folder, or the one `.gguf` file of a model that has no config.json; anything else as it was given
 * @throws EmendError with the command that pulls the model, where it looks like one of a hub and is not here
 */
export function resolveModel(model: string, cache: string = hubCache()): string {
  if (existsSync(model)) return model
  const [, repository, revision = 'main'] = REPOSITORY.exec(model) ?? []
  if (!repository) return model
  const command = `emend pull ${repository}${revision === 'main' ? '' : ` --revision ${revision}`}`
  const folder = repositoryFolder(repository, cache)
  const ref = join(folder, 'refs', revision)
  const commit = existsSync(ref) ? readFileSync(ref, 'utf8').trim() : revision
  const snapshot = join(folder, 'snapshots', commit)
  if (!existsSync(snapshot))
    throw new EmendError(
      `${model}: no such file or folder, and no such model in ${cache}; check the path, or ${command}`,
    )
  const files = readdirSync(snapshot).filter(name => existsSync(join(snapshot, name)))
  if (files.length === 0) throw new EmendError(`${model}: its files in ${snapshot} are gone; run ${command} again`)
  const gguf = files.filter(name => name.endsWith('.gguf'))
  if (files.includes('config.json') || files.includes('adapter_config.json') || gguf.length === 0) return snapshot
  if (gguf.length === 1) return join(snapshot, gguf[0] as string)
  throw new EmendError(`${model}: several models were pulled: name one, such as ${join(snapshot, gguf[0] as string)}`)
}
