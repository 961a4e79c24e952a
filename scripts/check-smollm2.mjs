// A real language model in and out, held to strangers: SmolLM2-135M-Instruct from its GGUF file, as a Hugging Face folder and as
// the GGUF file that Emend writes. Fetches the model (98 MB) and llama.cpp (node-llama-cpp, some 100 MB) into the private folder
// where they are missing, then runs the tests that skip without them.
//   npm run check:smollm2                       against what transformers said (goldens), and llama.cpp as it runs
//   PYTHON=python3 npm run check:smollm2        makes transformers say it again: a Python with torch, transformers and gguf
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = process.env.EMEND_HOME || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'emend')

const model = run(process.execPath, [join(root, 'scripts/fetch-smollm2.mjs')], 'pipe').stdout.trim()
if (!process.env.EMEND_LLAMA_CPP) {
  const folder = join(home, 'node-llama-cpp')
  if (!existsSync(join(folder, 'node_modules/node-llama-cpp'))) {
    mkdirSync(folder, { recursive: true })
    // Of the compiled ones only this machine's, without the 600 MB for graphics cards.
    const os = { linux: 'linux', darwin: 'mac', win32: 'win' }[process.platform]
    const compiled = `@node-llama-cpp/${os}-${process.arch}${os === 'mac' && process.arch === 'arm64' ? '-metal' : ''}@3`
    const quiet = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--loglevel=error']
    run('npm', ['install', '--prefix', folder, ...quiet, 'node-llama-cpp@3', compiled])
  }
}
if (process.env.PYTHON) {
  const golden = join(root, 'packages/emend/goldens/gguf/make-smollm2.py')
  run(process.env.PYTHON, [golden, dirname(model), '--check'])
} else console.log('transformers is held by its goldens only; PYTHON=python3 asks it again')
run(process.execPath, [join(root, 'scripts/ready.mjs'), 'test', 'packages/emend/src/checkpoints/gguf/smollm2.test.ts'])

function run(command, args, stdout = 'inherit') {
  const done = spawnSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', stdout, 'inherit'] })
  if (done.status === 0) return done
  console.error(`check-smollm2: ${command} ${args.join(' ')} failed${done.error ? `: ${done.error.message}` : ''}`)
  process.exit(1)
}
