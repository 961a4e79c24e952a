/** The built page from memory, under a policy that lets it load nothing but itself. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, relative, sep } from 'node:path'
import { EmendError } from '../../errors.js'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** Stands in index.html where the editor looks for the nonce of its style sheets. */
const NONCE = '%NONCE%'

export class Page {
  readonly #files = new Map<string, Buffer<ArrayBuffer>>()

  /** @throws EmendError where the page has not been built */
  constructor(folder: string = builtPage()) {
    if (!existsSync(join(folder, 'index.html')))
      throw new EmendError(`${folder}: the page is not built; run npm run build -w @emend/studio`)
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      this.#files.set(`/${relative(folder, path).split(sep).join('/')}`, readFileSync(path))
    }
  }

  /** The file at a path of the URL, if there is one. */
  response(path: string): Response | undefined {
    const name = path === '/' ? '/index.html' : path
    const file = this.#files.get(name)
    if (!file) return undefined
    const isIndex = name === '/index.html'
    const nonce = randomBytes(16).toString('base64url')
    return new Response(isIndex ? file.toString('utf8').replaceAll(NONCE, nonce) : file, {
      headers: {
        'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
        // Assets carry a hash of their content in their names.
        'cache-control': isIndex ? 'no-store' : 'public, max-age=31536000, immutable',
        ...(isIndex && { 'content-security-policy': policy(nonce) }),
      },
    })
  }
}

const policy = (nonce: string) =>
  [
    "default-src 'self'",
    // The editor makes its style sheets at run time.
    `style-src 'self' 'nonce-${nonce}'`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

/** Where the package of the page lies. */
function builtPage(): string {
  return join(dirname(createRequire(import.meta.url).resolve('@emend/studio/package.json')), 'dist', 'app')
}
