/** `emend doctor`: what was found on this machine, and what is missing. */

import { Command } from 'commander'
import { examples, groups, print, printJson } from '../output.js'

export function doctorCommand(): Command {
  return new Command('doctor')
    .helpGroup(groups.system)
    .description('say what was found, and what is missing with the command that mends it')
    .addHelpText(
      'after',
      examples(
        ['emend doctor', 'for people'],
        ['emend doctor --json', 'for scripts; exit code 1 if something is missing that set-up cannot mend'],
      ),
    )
    .action(async (options: { json?: boolean }) => {
      const { examine } = await import('../examine.js')
      const found = await examine()
      const ok = found.every(({ state }) => state !== 'missing')
      if (options.json) {
        await printJson({ ok, found })
      } else {
        const width = Math.max(...found.map(({ name }) => name.length))
        const marks = { ok: '✓', later: '·', missing: '✗' }
        const lines = found.map(({ name, state, value, mend }) =>
          [
            `${marks[state]} ${name.padEnd(width)}  ${value}`,
            ...(mend ? [`  ${' '.repeat(width)}  → ${mend}`] : []),
          ].join('\n'),
        )
        await print(lines.join('\n'))
      }
      if (!ok) process.exitCode = 1
    })
}
