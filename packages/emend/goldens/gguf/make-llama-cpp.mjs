// What llama.cpp makes of the tiny GGUF files beside this one: 24 greedy tokens after the ids of logits.json, and the three
// largest probabilities at each.
//   cd ANYWHERE && npm install node-llama-cpp --ignore-scripts
//   node make-llama-cpp.mjs ANYWHERE            writes llama-cpp.json
//   node make-llama-cpp.mjs ANYWHERE FOLDER     reads the files of FOLDER (Emend's) instead, and compares
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [where, folder = import.meta.dirname] = process.argv.slice(2)
const entry = pathToFileURL(resolve(where, 'node_modules/node-llama-cpp/dist/index.js'))
const { getLlama } = await import(entry.href)
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: 1 })
const { ids, logits } = JSON.parse(readFileSync(join(import.meta.dirname, 'logits.json'), 'utf8'))
const all = {}
for (const name of Object.keys(logits)) {
  const model = await llama.loadModel({ modelPath: join(folder, `${name}.gguf`) })
  // In float32 throughout.
  const context = await model.createContext({
    contextSize: 64,
    flashAttention: false,
    experimentalKvCacheKeyType: 'F32',
    experimentalKvCacheValueType: 'F32',
  })
  const steps = []
  const options = { temperature: 0, yieldEogToken: true }
  for await (const { token, probabilities } of context
    .getSequence()
    .evaluateWithMetadata(ids, { probabilities: true }, options)) {
    const best = [...probabilities].slice(0, 3).map(([id, p]) => [id, Number(p.toPrecision(7))])
    if (steps.push({ token, best }) === 24) break
  }
  all[name] = steps
  await context.dispose()
  await model.dispose()
}
const path = join(import.meta.dirname, 'llama-cpp.json')
if (folder === import.meta.dirname) writeFileSync(path, `${JSON.stringify(all)}\n`)
else {
  const golden = JSON.parse(readFileSync(path, 'utf8'))
  for (const [name, steps] of Object.entries(all)) {
    const same = JSON.stringify(steps) === JSON.stringify(golden[name])
    console.log(name, same ? 'the same tokens and probabilities' : 'DIFFERENT')
  }
}
process.exit()
