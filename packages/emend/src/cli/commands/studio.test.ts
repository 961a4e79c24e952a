import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { tinyFolders } from '../../server/tiny-model.fixture.js'

const command = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

it.skipIf(!existsSync(command))(
  'ends in one line, its reward model too, where it cannot start',
  async () => {
    const folders = await tinyFolders()
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    try {
      const { port } = taken.address() as AddressInfo
      const args = [
        '--store',
        join(folders.root, 'emend.db'),
        '--reward',
        folders.reward,
        '--port',
        `${port}`,
        '--quiet',
      ]
      const { status, stderr } = spawnSync(process.execPath, [command, 'studio', ...args], {
        encoding: 'utf8',
        timeout: 40_000,
      })
      // Where the page is not built, it is that which it says.
      expect(
        stderr.split('\n').filter(line => /^emend: .*(choose another with --port|not built)/.test(line)),
      ).toHaveLength(1)
      expect(status).toBe(1)
    } finally {
      taken.close()
      folders.remove()
    }
  },
  60_000,
)
