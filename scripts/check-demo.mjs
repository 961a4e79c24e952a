// Reads what `emend demo --json` printed (stdin) and checks that it is one JSON object of the promised shape, and nothing else.
//   npm run -s demo -- --quick --json | node scripts/check-demo.mjs
import { readFileSync } from 'node:fs'

const printed = readFileSync(0, 'utf8')

function fail(what) {
  process.stderr.write(`demo --json: ${what}\n`)
  process.exit(1)
}

let result
try {
  result = JSON.parse(printed)
} catch (error) {
  fail(`stdout is not one JSON object (${error.message}); it begins ${JSON.stringify(printed.slice(0, 80))}`)
}

const isNumber = value => Number.isFinite(value)
const isCount = value => isNumber(value) && value >= 0
/** What each field of an arm must be. */
const fields = {
  name: value => typeof value === 'string' && value !== '',
  win_rate: value => isNumber(value) && value >= 0 && value <= 100,
  standard_error: isCount,
  n_total: value => Number.isSafeInteger(value) && value > 0,
  avg_length: isCount,
  kl: isNumber,
  defects: value => Object.keys(value ?? {}).length > 0 && Object.values(value).every(isCount),
  seconds: isCount,
}

if (!Array.isArray(result.arms) || result.arms.length === 0) fail('got no arms')
for (const arm of result.arms) {
  const names = Object.keys(arm).sort().join(', ')
  const expected = Object.keys(fields).sort().join(', ')
  if (names !== expected) fail(`an arm has ${names}; expected ${expected}`)
  for (const [field, holds] of Object.entries(fields)) {
    if (!holds(arm[field])) fail(`arm ${arm.name}: ${field} is ${JSON.stringify(arm[field])}`)
  }
}
const others = Object.keys(result).filter(key => key !== 'arms' && key !== 'report')
if (others.length > 0) fail(`unknown: ${others.join(', ')}`)
const report = readFileSync(result.report, 'utf8')
for (const { name } of result.arms) if (!report.includes(name)) fail(`${result.report} does not show ${name}`)
process.stderr.write(`demo --json: ${result.arms.length} arms, ${result.arms.map(arm => arm.name).join(', ')}\n`)
