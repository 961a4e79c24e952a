/** Every typed operator, each overload once as a function and once as a method. */
import { native } from '../dist/native.js'
import { table } from '../dist/ops.generated.js'
import { parseSchema } from '../dist/schema.js'

export function targets() {
  const found = []
  for (const line of table.split('\n')) {
    const [name, asFunction, asMethod] = line.split(' ')
    for (const [overloads, method] of [
      [asFunction, false],
      [asMethod, true],
    ]) {
      if (overloads === '-') continue
      for (const written of overloads.split(',')) {
        const overload = written === '_' ? '' : written
        const id = native.find(`aten::${name}`, overload)
        if (id >= 0) found.push({ name, overload, method, schema: parseSchema(native.schema(id)) })
      }
    }
  }
  return found
}
