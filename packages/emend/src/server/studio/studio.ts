/** Starts and stops the studio. */
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { EmendError } from '../../errors.js'
import { isLoopback } from '../guard.js'
import { createStudioApp, type StudioAppOptions } from './app.js'
import { Page } from './page.js'

export interface StudioOptions extends Omit<StudioAppOptions, 'page' | 'loopback' | 'log'> {
  /** default 127.0.0.1 */
  readonly host?: string
  /** default 8090; 0 takes any that is free */
  readonly port?: number
  /** told in one line what went wrong inside; default stderr */
  log?(line: string): void
}

export interface RunningStudio extends AsyncDisposable {
  /** such as `http://127.0.0.1:8090` */
  readonly url: string
  /** Answers what is under way and stops. The store and the reward model stay open: they are the caller's. */
  close(): Promise<void>
}

/** Serves the page; settles once it answers. @throws EmendError where the page is not built or the address cannot be used */
export async function startStudio(options: StudioOptions): Promise<RunningStudio> {
  const { host = '127.0.0.1', port = 8090 } = options
  const log = options.log ?? (line => process.stderr.write(`emend studio: ${line}\n`))
  const app = createStudioApp({ ...options, page: new Page(), loopback: isLoopback(host), log })
  const server = createAdaptorServer({ fetch: app.fetch }) as Server
  const taken = await new Promise<number>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new EmendError(`cannot listen on ${host}:${port} (${error.code}); choose another with --port`)),
    )
    server.listen(port, host, () => resolve((server.address() as { port: number }).port))
  })
  const close = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve())
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), 2000).unref()
    })
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    close,
    [Symbol.asyncDispose]: close,
  }
}
