import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findings } from './findings.js'
import { findLibtorch } from './libtorch.js'
import { addonPath } from './places.js'
import { findEngine, setUp } from './setup.js'

const touched = ['LIBTORCH', 'EMEND_HOME', 'VIRTUAL_ENV', 'CXX', 'PATH'] as const
let before: (string | undefined)[] = []
let folder = ''

beforeEach(() => {
  before = touched.map(name => process.env[name])
  folder = mkdtempSync(join(tmpdir(), 'emend-setup-'))
  process.env['EMEND_HOME'] = join(folder, 'home')
})

afterEach(() => {
  touched.forEach((name, i) => {
    if (before[i] === undefined) delete process.env[name]
    else process.env[name] = before[i]
  })
  rmSync(folder, { recursive: true, force: true })
})

/** A folder that looks like a libtorch of the version, without a library in it. */
function pretend(version: string): string {
  const place = join(folder, `libtorch-${version}`)
  const header = join(place, 'include', 'torch', 'headeronly', 'version.h')
  const [major, minor, patch] = version.split('.')
  mkdirSync(dirname(header), { recursive: true })
  mkdirSync(join(place, 'lib'))
  writeFileSync(
    header,
    `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`,
  )
  writeFileSync(join(place, 'lib', 'libtorch_cpu.so'), '')
  writeFileSync(join(place, 'lib', 'libtorch_cpu.dylib'), '')
  return place
}

test('LIBTORCH is taken as it is, or refused with the reason', () => {
  process.env['LIBTORCH'] = pretend('2.11.0')
  expect(findLibtorch()).toMatchObject({ version: '2.11.0', source: 'LIBTORCH' })
  process.env['LIBTORCH'] = pretend('2.9.1')
  expect(() => findLibtorch()).toThrow('libtorch 2.9.1 is older than 2.10')
  process.env['LIBTORCH'] = join(folder, 'nothing')
  expect(() => findLibtorch()).toThrow('give the folder that holds include/ and lib/')
})

test('the addon has another place for another libtorch', () => {
  const base = { folder: 'a', version: '2.13.0', stamp: '1' }
  const places = [base, { ...base, folder: 'b' }, { ...base, version: '2.11.0' }, { ...base, stamp: '2' }].map(
    addonPath,
  )
  expect(new Set(places).size).toBe(4)
  expect(addonPath(base)).toBe(places[0])
})

test('without a compiler one line names the command, and nothing is left half-made', async () => {
  process.env['LIBTORCH'] = pretend('2.12.0')
  process.env['CXX'] = 'no-such-compiler'
  const said: string[] = []
  await expect(setUp(line => said.push(line))).rejects.toThrow(
    'no C++ compiler found; install one: apt-get install g++',
  )
  expect(said[0]).toContain('compiling the engine for libtorch 2.12.0')
  expect(findEngine()).toBeNull()
  expect(readdirSync(process.env['EMEND_HOME']!)).toEqual([])
  expect(findings()).toMatchObject({ built: false, compiler: null })
  expect(findings().missing[0]).toContain('apt-get install g++')
})

test('a compiler that fails is quoted, its temporary file removed', async () => {
  process.env['LIBTORCH'] = pretend('2.12.0')
  await expect(setUp(() => {})).rejects.toThrow(/could not compile the engine \(.*C\+\+20 is needed\): .*fatal error/)
  const addons = join(process.env['EMEND_HOME']!, 'addons')
  expect(readdirSync(addons).flatMap(name => readdirSync(join(addons, name)))).toEqual([])
})

test('without Python one line names what to install', async () => {
  delete process.env['LIBTORCH']
  delete process.env['VIRTUAL_ENV']
  process.env['PATH'] = folder
  await expect(setUp(() => {})).rejects.toThrow(
    'neither libtorch nor Python 3.10 or newer was found; install Python (apt-get install',
  )
})

test('a lock whose owner is gone is taken over; a live one is waited for', async () => {
  process.env['LIBTORCH'] = pretend('2.12.0')
  process.env['CXX'] = 'no-such-compiler'
  const home = process.env['EMEND_HOME']!
  mkdirSync(home)
  const lock = join(home, 'setup.lock')
  writeFileSync(lock, '999999999')
  await expect(setUp(() => {})).rejects.toThrow('no C++ compiler')
  expect(existsSync(lock)).toBe(false)
  writeFileSync(lock, String(process.pid))
  const said: string[] = []
  setTimeout(() => rmSync(lock), 400)
  await expect(setUp(line => said.push(line))).rejects.toThrow('no C++ compiler')
  expect(said[0]).toBe('emend: another process is setting up, waiting for it …')
})

test('a folder that cannot be written is named, with what to set', async () => {
  process.env['LIBTORCH'] = pretend('2.12.0')
  writeFileSync(join(folder, 'home'), '')
  await expect(setUp(() => {})).rejects.toThrow('set EMEND_HOME to a folder that can')
})
