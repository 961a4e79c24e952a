/** Which store a command works on. */

import type { Command } from 'commander'

/** Adds `--store`. */
export const withStoreOption = (command: Command): Command =>
  command.option(
    '--store <file>',
    'the store; $EMEND_STORE, or emend.db here',
    process.env['EMEND_STORE'] ?? 'emend.db',
  )

/** `draft=before,final=after` → columns. */
export function columnsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(',').map(pair => {
      const [name = '', column] = pair.split('=').map(part => part.trim())
      return [name, column || name]
    }),
  )
}
