// Packs the packages, installs the tarballs in an empty folder outside the clone, and runs the README's first program there.
//   npm run test:pack
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const started = Date.now()

/** Stops with one line that says what failed, after what the command said. */
function fail(what, said = '') {
  if (said) process.stderr.write(`${said.trimEnd()}\n`)
  process.stderr.write(`pack: ${what}\n`)
  process.exit(1)
}

function run(what, command, args, cwd) {
  // npm hands its own settings to what it starts; the stranger's npm would not have them.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(config_local|package|lifecycle)/.test(name)),
  )
  const answer = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 15 * 60_000 })
  if (answer.status !== 0)
    fail(`${what} failed (${command} ${args.join(' ')})`, answer.error?.message ?? `${answer.stdout}${answer.stderr}`)
  return answer.stdout
}

/** Opens the installed studio on the demo's replies, asks it for its page, and ends it. */
async function askStudio() {
  const bin = join(app, 'node_modules', '.bin', 'emend')
  const asked = [bin, 'studio', '--from', 'runs/demo-1', '--port', '0', '--json']
  const studio = spawn(process.execPath, asked, { cwd: app, stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => studio.kill('SIGKILL')
  process.once('exit', kill)
  const early = code => fail(`emend studio ended with ${code}`)
  studio.once('exit', early)
  const [line] = await once(studio.stdout, 'data')
  const page = await fetch(JSON.parse(line).url)
  if (!/Emend studio/.test(await page.text())) fail(`the studio answered ${page.status} without its page`)
  studio.off('exit', early)
  kill()
  await once(studio, 'exit')
}

const work = mkdtempSync(join(tmpdir(), 'emend-pack-'))
process.once('exit', () => rmSync(work, { recursive: true, force: true }))
const app = join(work, 'app')
mkdirSync(app)
writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n')

const packed = JSON.parse(run('npm pack', 'npm', ['pack', '--workspaces', '--json', '--pack-destination', work], root))
const tarballs = packed.map(({ filename }) => join(work, filename))
run('installing the tarballs', 'npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs], app)

// A model and edits for the program, by the installed command: too little to learn from, enough to run on.
const sizes = { demonstrations: 800, pairs: 48, held_out: 8, calibration: 32, test: 16, 'tokenizer.texts': 400 }
const sets = Object.entries(sizes).flatMap(([key, value]) => ['--set', `${key}=${value}`])
const demo = ['demo', '--quick', '--arms', 'SFT', '--json', '--quiet', '--out', 'runs/demo-1', ...sets]
const { arms } = JSON.parse(run('the demo', 'npx', ['--no-install', 'emend', ...demo], app))
if (arms.length !== 1 || arms[0].name !== 'SFT') fail(`the demo gave ${JSON.stringify(arms)}; expected the arm SFT`)

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const program = /```ts\n(import [^`]* from 'emend'\n[\s\S]*?)```/.exec(readme)?.[1]
if (!program) fail('README.md has no program that imports emend')
writeFileSync(join(app, 'first.mjs'), program)
const said = run("the README's first program", process.execPath, ['first.mjs'], app)
if (!/^step 10 of 10 reward /m.test(said)) fail("the README's first program did not say that it made its steps", said)
for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) {
  if (!existsSync(join(app, 'aligned', file))) fail(`the README's first program left no aligned/${file}`)
}
const asked = ['generate', '--model', 'aligned', '--prompt', '### Response\n', '--temperature', '0', '--json']
const reply = JSON.parse(run('emend generate', 'npx', ['--no-install', 'emend', ...asked], app))
if (reply.tokens.length === 0 || !Number.isFinite(reply.logprobs[0]))
  fail(`emend generate gave ${JSON.stringify(reply)}`)

await askStudio()

const sizesOf = packed.map(({ name, version, size }) => `${name} ${version} (${Math.round(size / 1024)} kB)`).join(', ')
const seconds = Math.round((Date.now() - started) / 1000)
process.stdout.write(
  `pack: ${sizesOf} installed in an empty folder; the README's first program ran there; ${seconds} s\n`,
)
