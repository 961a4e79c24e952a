import { describe, expect, it } from 'vitest'
import { ConfigError, DataError, EmendError, exitCode, Interrupted, oneLine, UsageError } from './errors.js'

describe('errors', () => {
  it('put the place before what was wrong', () => {
    expect(new DataError('got 3, expected a string', { file: 'edits.jsonl', line: 17, field: 'final' }).message).toBe(
      'edits.jsonl:17: final: got 3, expected a string',
    )
    expect(new ConfigError('unknown key', { file: 'run.yaml', key: 'ppo.kl' }).message).toBe(
      'run.yaml: ppo.kl: unknown key',
    )
    expect(new DataError('is empty').message).toBe('is empty')
  })

  it('map to exit codes', () => {
    expect(exitCode(new Interrupted())).toBe(130)
    expect(exitCode(new UsageError('x'))).toBe(2)
    expect(exitCode(new DataError('x'))).toBe(1)
    expect(exitCode('thrown text')).toBe(1)
  })

  it('fit on one line', () => {
    expect(oneLine(new EmendError('first\n  second'))).toBe('first second')
    expect(oneLine(new TypeError('no'))).toBe('TypeError: no')
    expect(oneLine('plain')).toBe('plain')
  })
})
