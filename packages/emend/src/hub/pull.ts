/** A model from a hub into the cache that Hugging Face's tools share: whole files only, checked by their hashes, resumable. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, existsSync, rmSync, statfsSync, statSync } from 'node:fs'
import { constants, copyFile, mkdir, open, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmendError, UsageError } from '../errors.js'
import { makeFolder } from '../pipeline/atomic-file.js'
import { lockStage } from '../pipeline/stage-lock.js'
import { hubCache, REPOSITORY, repositoryFolder } from './cache.js'
import { connect, type Hub, type HubOptions, hubError, isCut, isSystem, type Remote } from './client.js'

/** What is pulled, and from where. */
export interface PullOptions extends HubOptions {
  /** A branch, tag or commit; default main. */
  readonly revision?: string
  /** Patterns with `*` and `?` over the paths of files; default: what Emend reads. */
  readonly include?: readonly string[]
  /** A folder that gets a copy of the files. */
  readonly out?: string
  readonly cache?: string
  /** Bytes that are here by now, those that were here before among them. */
  readonly onProgress?: (done: number, total: number, file: string) => void
  /** Milliseconds before a cut connection is tried again; doubled each time. Default 1000. */
  readonly wait?: number
}

/** What was pulled. */
export interface Pulled {
  readonly repository: string
  readonly revision: string
  /** The commit that the revision stood for: give it as `revision` to get the same again. */
  readonly commit: string
  /** The snapshot in the cache, or `out`. */
  readonly folder: string
  readonly files: readonly string[]
  readonly bytes: number
}

/** What Emend reads of a model, where nothing else is asked for. */
const READ = [
  'config.json',
  'generation_config.json',
  'model*.safetensors',
  'model.safetensors.index.json',
  'adapter_config.json',
  'adapter_model.safetensors',
  'reward.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
]
const TRIES = 5

/**
 * Pulls a model.
 *
 * @param model `ORG/NAME`, or `ORG/NAME@REVISION`
 * @throws EmendError of one line: no such model or revision, no permission, no connection, a file that is not what its hash says,
 *   no room; Interrupted where the signal says so. What came so far is kept, and the next call goes on from it.
 */
export async function pull(model: string, options: PullOptions = {}): Promise<Pulled> {
  const [, repository, named] = REPOSITORY.exec(model) ?? []
  if (!repository) throw new UsageError(`${model}: expected ORG/NAME of a model on the hub`)
  const revision = options.revision ?? named ?? 'main'
  const hub = await connect(options)
  const what = `${repository} (revision ${revision})`
  const commit = await hub.commitOf(repository, revision)
  const files = chosen(await hub.list(repository, commit), options.include, what)

  const cache = options.cache ?? hubCache()
  const folder = repositoryFolder(repository, cache)
  const snapshot = join(folder, 'snapshots', commit)
  const unlock = await begin(folder, files)
  try {
    const total = files.reduce((sum, file) => sum + file.size, 0)
    let before = 0
    for (const file of files) {
      const report = (here: number) => options.onProgress?.(before + here, total, file.path)
      await fetchBlob(hub, { repository, commit, file, folder, report, options })
      await link(join(folder, 'blobs', file.hash), join(snapshot, file.path))
      before += file.size
      report(0)
    }
    if (revision !== commit) {
      await mkdir(dirname(join(folder, 'refs', revision)), { recursive: true })
      await writeFile(join(folder, 'refs', revision), commit)
    }
    if (options.out) await copyOut(files, folder, options.out)
    return {
      repository,
      revision,
      commit,
      folder: options.out ?? snapshot,
      files: files.map(file => file.path),
      bytes: total,
    }
  } catch (error) {
    throw fileError(error, folder)
  } finally {
    unlock()
  }
}

/** The files that are wanted; an error says what there is instead. */
function chosen(files: readonly Remote[], include: readonly string[] | undefined, what: string): Remote[] {
  const patterns = (include ?? READ).map(globPattern)
  const found = files.filter(file => patterns.some(pattern => pattern.test(file.path)))
  const weights = found.some(file => /\.(safetensors|gguf)$/.test(file.path))
  if (found.length > 0 && (include || weights)) return found
  const others = files.map(file => file.path)
  const gguf = others.filter(path => path.endsWith('.gguf'))
  if (!include && gguf.length > 0)
    throw new EmendError(`${what} has GGUF files alone: choose one with --include, such as --include '${gguf[0]}'`)
  const some = others.slice(0, 12).join(', ') + (others.length > 12 ? ', …' : '')
  throw new EmendError(
    include
      ? `${what}: nothing is called ${include.join(' or ')}; it has ${some || 'no files'}`
      : `${what} has no safetensors, which are what Emend reads; it has ${some || 'no files'}`,
  )
}

/** `*` is anything, folders too; `?` one character. */
const globPattern = (glob: string) =>
  new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  )

/** Makes the folders, sees that there is room, and takes the model's lock. */
async function begin(folder: string, files: readonly Remote[]): Promise<() => void> {
  try {
    makeFolder(join(folder, 'blobs'))
    const missing = files.filter(file => !existsSync(join(folder, 'blobs', file.hash)))
    const needed = missing.reduce((sum, file) => sum + file.size - sizeOf(partOf(folder, file)), 0)
    const { bavail, bsize } = statfsSync(folder)
    if (needed > bavail * bsize)
      throw new EmendError(`${folder}: ${gigabytes(needed)} are needed and ${gigabytes(bavail * bsize)} are free`)
    return await lockStage(folder)
  } catch (error) {
    throw fileError(error, folder)
  }
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
const partOf = (folder: string, file: Remote) => join(folder, 'blobs', `${file.hash}.incomplete`)
const sizeOf = (path: string) => (existsSync(path) ? statSync(path).size : 0)

interface Fetching {
  readonly repository: string
  readonly commit: string
  readonly file: Remote
  readonly folder: string
  readonly report: (here: number) => void
  readonly options: PullOptions
}

/** A file's bytes into the blob that its hash names; what an earlier call left is gone on from. */
async function fetchBlob(hub: Hub, { repository, commit, file, folder, report, options }: Fetching): Promise<void> {
  const blob = join(folder, 'blobs', file.hash)
  if (existsSync(blob)) {
    if (sizeOf(blob) === file.size) return
    rmSync(blob)
  }
  const part = partOf(folder, file)
  if (sizeOf(part) > file.size) rmSync(part)
  for (let tries = 0; sizeOf(part) < file.size; ) {
    const from = sizeOf(part)
    report(from)
    try {
      await append(part, await hub.stream(repository, commit, file.path, from), from, file.size, report, options.signal)
    } catch (error) {
      const cause = hubError(error, `${repository}: ${file.path}`, hub.url, hub.token, options.signal)
      tries = sizeOf(part) > from ? 1 : tries + 1
      if (!isCut(error) || tries >= TRIES) throw cause
      await sleep(
        (options.wait ?? 1000) * 2 ** (tries - 1),
        undefined,
        options.signal && { signal: options.signal },
      ).catch(() => {})
    }
  }
  if (file.size === 0) await writeFile(part, '')
  const hash = await hashOf(part, file)
  if (hash !== file.hash) {
    await rm(part, { force: true })
    throw new EmendError(
      `${repository}: ${file.path}: what came is not the file (hash ${hash}, expected ${file.hash}); pull it again`,
    )
  }
  await rename(part, blob)
}

/** Appends a stream to a file, no further than it should be long. */
async function append(
  path: string,
  stream: ReadableStream<Uint8Array>,
  from: number,
  size: number,
  report: (here: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await open(path, 'a')
  let here = from
  try {
    for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
      if (signal?.aborted) throw signal.reason
      here += chunk.length
      if (here > size) throw new EmendError(`${path}: more came than the ${size} bytes it should have; pull it again`)
      await file.write(chunk)
      report(here)
    }
  } catch (error) {
    if (here > size) await file.truncate(0)
    throw error
  } finally {
    await file.sync()
    await file.close()
  }
  if (here < size) throw new TypeError('terminated')
}

/** SHA-256 of a large file; git's name of any other: SHA-1 of a header and the content. */
async function hashOf(path: string, { large, size }: Remote): Promise<string> {
  const hash: Hash = large ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** A link as Python's library makes it: relative, so that the cache can be moved. */
async function link(blob: string, pointer: string): Promise<void> {
  const target = relative(dirname(pointer), blob)
  if ((await readlink(pointer).catch(() => undefined)) === target) return
  await mkdir(dirname(pointer), { recursive: true })
  await rm(pointer, { force: true })
  // Where links are not allowed, as on some Windows machines, a copy serves.
  await symlink(target, pointer).catch(() => copyFile(blob, pointer))
}

async function copyOut(files: readonly Remote[], folder: string, out: string): Promise<void> {
  for (const { path, hash } of files) {
    const to = join(resolve(out), path)
    makeFolder(dirname(to))
    await copyFile(join(folder, 'blobs', hash), `${to}.tmp`, constants.COPYFILE_FICLONE)
    await rename(`${to}.tmp`, to)
  }
}

/** What the disk said. */
function fileError(error: unknown, folder: string): unknown {
  const { code, path } = error as NodeJS.ErrnoException
  if (!isSystem(error)) return error
  const why = code === 'ENOSPC' ? 'the disk is full' : `cannot be written (${code})`
  return new EmendError(`${path ?? folder}: ${why}; choose another cache with HF_HOME`, { cause: error })
}
