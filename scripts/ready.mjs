// Sets up whatever is missing, quietly and on stderr only, then runs the CLI or the tests.
//   node scripts/ready.mjs emend demo --json
//   node scripts/ready.mjs test packages/edits
// Plain Node without dependencies: it runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { browserInstaller, findBrowser, installBrowser } from './browser.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const say = line => process.stderr.write(`${line}\n`)
const node = process.execPath

if (Number(process.versions.node.split('.')[0]) < 20) {
  say(`emend: Node ${process.versions.node} is too old; install Node 20 or newer`)
  process.exit(1)
}

/** Runs a step with its output kept back; shows it only when the step fails, and gives false if it may (`forgiven`). */
function step(what, command, args, forgiven) {
  const from = Date.now()
  say(`emend: ${what} …`)
  const answer = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (answer.status !== 0) {
    if (forgiven?.test(answer.stderr)) return false
    say(answer.error ? answer.error.message : `${answer.stdout}${answer.stderr}`.trimEnd())
    say(`emend: ${what} failed (${command} ${args.join(' ')})`)
    process.exit(1)
  }
  say(`emend: ${what}: ${Math.round((Date.now() - from) / 1000)} s`)
  return true
}

const modified = path => (existsSync(path) ? statSync(path).mtimeMs : 0)

/** The newest change under a folder, of files that the compiler reads. */
function newest(folder) {
  let latest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) latest = Math.max(latest, newest(path))
    else if (/\.(ts|tsx|json|css|svg)$/.test(entry.name) && !entry.name.endsWith('.test.ts'))
      latest = Math.max(latest, modified(path))
  }
  return latest
}

/** Packages whose compiled form is missing or older than a source of theirs. */
function stale() {
  return readdirSync(join(root, 'packages')).filter(name => {
    const folder = join(root, 'packages', name)
    if (!existsSync(join(folder, 'tsconfig.json'))) return false
    const built = modified(join(folder, 'dist', '.tsbuildinfo'))
    return built === 0 || built < Math.max(newest(join(folder, 'src')), modified(join(folder, 'tsconfig.json')))
  })
}

/** Whether the studio's page is not built, or older than what it is made of. */
function pageIsStale() {
  const [studio, edits] = ['studio', 'edits'].map(name => join(root, 'packages', name))
  const sources = [newest(join(studio, 'src')), newest(join(edits, 'src')), modified(join(studio, 'index.html'))]
  return modified(join(studio, 'dist', 'app', 'index.html')) < Math.max(...sources)
}

/** One process at a time installs or compiles in this tree; one whose owner is gone is taken over. */
async function alone(work) {
  const lock = join(tmpdir(), `emend-ready-${createHash('sha256').update(root).digest('hex').slice(0, 16)}.lock`)
  for (let waited = false; ; waited = true) {
    try {
      const file = openSync(lock, 'wx')
      writeFileSync(file, String(process.pid))
      closeSync(file)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (!runs(lock)) rmSync(lock, { force: true })
      else {
        if (!waited) say('emend: another process is setting up, waiting for it …')
        await new Promise(resolve => setTimeout(resolve, 300))
      }
    }
  }
  const release = () => rmSync(lock, { force: true })
  process.once('exit', release)
  try {
    work()
  } finally {
    process.off('exit', release)
    release()
  }
}

function runs(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'))
    // An empty file is one that its owner is about to write, unless it has stood for long.
    if (!pid) return Date.now() - modified(lock) < 2000
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

const installed = join(root, 'node_modules', '.package-lock.json')
const needsInstall = () => modified(installed) < modified(join(root, 'package-lock.json'))

/** `npm ci`; where the registry lacks a package of some other platform, npm takes the lock for broken, and `npm install` serves. */
function install() {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  if (!step('installing packages', 'npm', ['ci', ...quiet], /in sync/)) {
    step('installing packages again, without npm ci', 'npm', ['install', '--no-save', ...quiet])
  }
}

async function makeReady() {
  if (needsInstall() || stale().length > 0 || pageIsStale()) {
    await alone(() => {
      if (needsInstall()) install()
      if (stale().length > 0) {
        step('compiling TypeScript', node, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b'])
        // npm links a package's command and marks it as executable when it installs; here it is compiled later than that.
        const command = join(root, 'packages', 'emend', 'dist', 'cli', 'main.js')
        chmodSync(command, 0o755)
        const link = join(root, 'node_modules', '.bin', 'emend')
        if (process.platform !== 'win32' && !existsSync(link)) {
          rmSync(link, { force: true })
          symlinkSync(command, link)
        }
      }
      if (pageIsStale()) {
        const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
        step('building the page', node, [vite, 'build', join(root, 'packages', 'studio')])
      }
    })
  }
  const setup = join(root, 'packages', 'torch', 'dist', 'setup')
  const { findEngine } = await import(pathToFileURL(join(setup, 'setup.js')).href)
  try {
    if (findEngine()) return
  } catch {
    // Set-up itself says what is wrong.
  }
  const engine = spawnSync(node, [join(setup, 'main.js')], { stdio: ['ignore', 2, 2] })
  if (engine.status !== 0) process.exit(engine.status ?? 1)
}

/** A Chromium for the tests of the page; they say that they were skipped where there is none and none can be had. */
async function makeBrowserReady() {
  if (findBrowser() || !browserInstaller()) return
  await alone(() => {
    if (findBrowser()) return
    say('emend: installing Chromium for the tests of the page …')
    if (!installBrowser()) say('emend: Chromium could not be installed; the tests of the page will be skipped')
  })
}

/** Runs the command in our place: its streams are ours, so are its signals and its exit code. */
function become(args) {
  const child = spawn(node, args, { stdio: 'inherit', cwd: process.cwd() })
  // A terminal sends Ctrl-C to both; the child decides what it means. A signal sent to us alone is passed on.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('error', error => {
    say(`emend: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

const [command, ...args] = process.argv.slice(2)
if (command === 'emend') {
  await makeReady()
  become([join(root, 'packages', 'emend', 'dist', 'cli', 'main.js'), ...args])
} else if (command === 'test') {
  await makeReady()
  if (args.every(arg => !/^packages/.test(arg) || /studio/.test(arg))) await makeBrowserReady()
  const reporters = ['--reporter=default', `--reporter=${join(root, 'scripts', 'closing-line.mjs')}`]
  become([join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--root', root, ...reporters, ...args])
} else if (command === undefined) {
  await makeReady()
} else {
  say(`usage: node scripts/ready.mjs [emend <command> … | test [file …]]; got ${JSON.stringify(command)}`)
  process.exit(2)
}
