/** What a stranger gets: packages that hold what runs and nothing else, and rooms that can be imported alone. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

interface Packed {
  readonly name: string
  readonly files: readonly { readonly path: string }[]
}

/** Runs a module in another process, where a resolver refuses the given packages. */
function importing(specifiers: readonly string[], refused: readonly string[]) {
  const hook = `export function resolve(specifier, context, next) {
    if (${JSON.stringify(refused)}.includes(specifier)) throw new Error('imports ' + specifier)
    return next(specifier, context)
  }`
  const script = `
    import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}))
    const rooms = {}
    for (const name of ${JSON.stringify(specifiers)}) rooms[name] = Object.keys(await import(name))
    console.log(JSON.stringify(rooms))`
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8' })
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout) as Record<string, string[]>
}

describe('packages', () => {
  const run = spawnSync('npm', ['pack', '--workspaces', '--dry-run', '--json'], { cwd: root, encoding: 'utf8' })
  const packages = JSON.parse(run.stdout) as Packed[]
  const filesOf = (name: string) => packages.find(one => one.name === name)?.files.map(file => file.path) ?? []

  it.each([
    ['@emend/torch', ['dist/index.js', 'dist/index.d.ts', 'dist/setup/main.js', 'native/addon.cc', 'native/engine.h']],
    ['@emend/edits', ['dist/index.js', 'dist/index.d.ts']],
    ['emend', ['dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js', 'dist/worlds/experiment/child.js']],
  ])('%s ships what runs, its README and its licence', (name, needed) => {
    const files = filesOf(name)
    expect(files).toEqual(expect.arrayContaining([...needed, 'LICENSE', 'README.md', 'package.json']))
    const strange = files.filter(
      path =>
        !/^(LICENSE|README\.md|package\.json|native\/[\w-]+\.(cc|h)|dist\/[\w/.-]+\.(js|d\.ts|json|txt))$/.test(path),
    )
    expect(strange).toEqual([])
    expect(files.filter(path => /\btest|fixture|golden|fuzz|benchmark/.test(path))).toEqual([])
  })
})

describe('rooms', () => {
  it('models, rewards, training and algorithms load without tokenizers, YAML or a command line', () => {
    const rooms = ['@emend/torch', 'emend/models', 'emend/rewards', 'emend/training', 'emend/algorithms']
    const found = importing(rooms, ['tokenizers', 'yaml', 'commander'])
    expect(found['emend/models']).toContain('Decoder')
    expect(found['emend/rewards']).toContain('paymentOf')
    expect(found['emend/training']).toContain('Trainer')
    expect(found['emend/algorithms']).toContain('ppo')
  })

  it('the resolver above does refuse', () => {
    expect(() => importing(['emend/text'], ['tokenizers'])).toThrow('imports tokenizers')
  })

  it('@emend/edits loads nothing of Node, so that a browser can', () => {
    const builtins = ['fs', 'path', 'crypto', 'os', 'url', 'util', 'buffer', 'process', 'module', 'worker_threads']
    const found = importing(['@emend/edits'], [...builtins, ...builtins.map(name => `node:${name}`)])
    expect(found['@emend/edits']).toEqual(expect.arrayContaining(['makeEdit', 'diffTexts', 'labelTokens']))
  })

  it('every room that the documents import from is there', () => {
    const names = ['text', 'data', 'checkpoints', 'generation', 'evaluation', 'worlds'].map(room => `emend/${room}`)
    for (const exported of Object.values(importing(names, []))) expect(exported.length).toBeGreaterThan(0)
  })
})
