/** `node dist/setup/main.js`: makes the engine ready; one line on stderr when it cannot. Nothing on stdout. */
import { setUp } from './setup.js'

try {
  await setUp()
} catch (error) {
  process.stderr.write(`emend: ${(error as Error).message}\n`)
  process.exitCode = 1
}
