/** What options name, looked at before a command works: the device, and models that were pulled. */
import type { Command } from 'commander'
import { UsageError } from '../errors.js'
import { resolveModel } from '../hub/resolve.js'

/** Options that name a model or a tokenizer. */
const MODELS = ['model', 'reward', 'tokenizer']

/**
 * Refuses a device that is not there, and puts the folders of pulled models in the place of their names.
 *
 * @throws UsageError naming the devices there are
 */
export async function settlePlaces(command: Command): Promise<void> {
  const options = command.opts<Record<string, unknown>>()
  const device = options['device']
  if (typeof device === 'string' && device !== 'cpu') {
    const { devices } = await import('@emend/torch')
    const found: readonly string[] = devices()
    if (!found.includes(device))
      throw new UsageError(`--device ${device}: not on this machine, which has ${found.join(', ')}`)
  }
  for (const name of MODELS) {
    const value = options[name]
    if (typeof value === 'string')
      command.setOptionValueWithSource(name, resolveModel(value), command.getOptionValueSource(name))
  }
}
