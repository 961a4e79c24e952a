/** Loads every golden folder beside this file and saves it under the folder named, in small shards: see families.py. */

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel, loadScalarModel, saveModel, saveScalarModel } from '../../dist/checkpoints/index.js'

const here = import.meta.dirname
const [folder] = process.argv.slice(2)
for (const name of readdirSync(here)) {
  if (!existsSync(join(here, name, 'golden.safetensors'))) continue
  const [load, save] = name.endsWith('-scalar') ? [loadScalarModel, saveScalarModel] : [loadModel, saveModel]
  const { model } = await load(join(here, name))
  await save(join(folder, name), model, { maxShardBytes: 20_000 })
  model.dispose()
}
