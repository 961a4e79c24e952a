import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const page = readFileSync(new URL('../../../../../docs/metrics.md', import.meta.url), 'utf8')

describe('docs/metrics.md', () => {
  it('explains every metric that an algorithm logs under a name with a slash', () => {
    const folder = new URL('../../algorithms/', import.meta.url)
    const sources = readdirSync(folder).filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    const logged = sources.flatMap(name => {
      const source = readFileSync(new URL(name, folder), 'utf8')
      return [...source.matchAll(/'([a-z_]+\/[a-z0-9_]+)':/g)].map(match => match[1]!)
    })
    expect(logged.length).toBeGreaterThan(20)
    for (const name of new Set(logged)) expect(page, name).toContain(`\`${name}\``)
  })

  it('explains the names that dashboards rely on', () => {
    const names =
      'loss accuracy margin min_reward mean_reward max_reward auroc_deleted auroc_inserted suffix_leakage grad_norm learning_rate lr episode'
    for (const name of names.split(' ')) expect(page, name).toContain(`\`${name}\``)
  })
})
