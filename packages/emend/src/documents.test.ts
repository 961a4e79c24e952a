/** The documents keep their word: links lead somewhere, tests that are named exist, examples have types. */

import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from './pipeline/config.js'
import { editsConfig } from './pipeline/edits/config.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const text = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = [
  'README.md',
  'FEATURES.md',
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
  ...['torch', 'edits', 'studio', 'emend'].map(name => `packages/${name}/README.md`),
]
const sources = readdirSync(join(root, 'packages'), { recursive: true, encoding: 'utf8' }).filter(
  path => !path.includes('node_modules') && !path.includes('dist'),
)

const work = mkdtempSync(join(tmpdir(), 'emend-documents-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

describe.each(pages)('%s', page => {
  it('has links that lead somewhere', () => {
    const links = [...text(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link]) => link!)
    const local = links.filter(link => !link.startsWith('https://'))
    expect(local.filter(link => !existsSync(join(root, dirname(page), link)))).toEqual([])
  })

  it('names files that exist', () => {
    const names = [...text(page).matchAll(/`([\w./-]+\.(?:test\.ts|py|mjs|yaml))`/g)].map(([, name]) => name!)
    const missing = names.filter(
      name => !existsSync(join(root, name)) && !sources.some(path => path === name || path.endsWith(`/${name}`)),
    )
    expect(missing.filter(name => name !== 'first.mjs')).toEqual([])
  })
})

describe('docs/how-to-add.md', () => {
  it('has examples that fit the tree', () => {
    const blocks = [...text('docs/how-to-add.md').matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)]
    expect(blocks.length).toBe(text('docs/how-to-add.md').split('```ts').length - 1)
    // Under `rootDirs` the examples count as if they lay beside the sources that they import.
    for (const [, path, example] of blocks) {
      const file = join(work, 'examples', path!.replace('packages/emend/src/', ''))
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, example!)
    }
    symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'))
    writeFileSync(join(work, 'package.json'), '{ "type": "module" }\n')
    const compilerOptions = {
      ...{ noEmit: true, composite: false, declaration: false, declarationMap: false, tsBuildInfoFile: null },
      ...{ rootDir: '/', rootDirs: [join(work, 'examples'), join(root, 'packages/emend/src')] },
    }
    const config = { extends: join(root, 'tsconfig.base.json'), compilerOptions, include: ['examples'] }
    writeFileSync(join(work, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const check = spawnSync(process.execPath, [tsc, '-p', work], { encoding: 'utf8' })
    expect(check.stdout).toBe('')
    expect(check.status).toBe(0)
  })
})

describe('examples/human-edits.yaml', () => {
  it('is a config of `emend run`, and its model, reward and payment are those of the documents', () => {
    process.env['EMEND_DATA'] = '/somewhere'
    const { config } = loadConfig(editsConfig, join(root, 'examples/human-edits.yaml'))
    expect(config).toMatchObject({
      data: { train: '/somewhere/iterater-human', columns: { draft: 'before_sent', final: 'after_sent' } },
      model: { layers: 4, hidden_size: 192 },
      reward: { kind: 'token' },
      payment: 'token-mean',
    })
  })
})
