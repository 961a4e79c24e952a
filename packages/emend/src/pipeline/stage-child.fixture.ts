/** The child process of stage.test.ts: the stages of a small diamond, doing what the environment tells them. */

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Interrupted } from '../errors.js'
import { runStageInChild, type Stage } from './stage.js'

const [folder, stage] = process.argv.slice(2)

/** first → left, right → last. `left` counts in a file, ten times, and can be interrupted between two counts. */
export function diamond(root: string, rate = 1): Stage[] {
  const note = (text: string) => appendFileSync(join(root, 'journal'), `${text}\n`)
  return [
    { name: 'first', inputs: {}, run: () => 'from first' },
    {
      name: 'left',
      needs: ['first'],
      inputs: { rate },
      async run({ folder: own, signal, threads, progress }) {
        const counter = join(own, 'counter')
        const task = progress('counting', 10, 'count')
        note(`left begins, threads ${threads}`)
        for (let i = existsSync(counter) ? Number(readFileSync(counter, 'utf8')) : 0; i < 10; i++) {
          task.update(i)
          await sleep(Number(process.env['LEFT_MS'] ?? 1))
          writeFileSync(counter, String(i + 1))
          if (signal.aborted) throw new Interrupted(`saved at ${i + 1}`)
        }
        note('left ends')
        return { counted: 10 }
      },
    },
    {
      name: 'right',
      needs: ['first'],
      inputs: {},
      async run() {
        note('right begins')
        if (process.env['RIGHT'] === 'throw') throw new TypeError('no such column')
        if (process.env['RIGHT'] === 'die') process.kill(process.pid, 'SIGKILL')
        if (process.env['RIGHT'] === 'exit') {
          console.error('terminate called')
          process.exit(3)
        }
        // Ends only once the other side has begun: only stages that run side by side get past this.
        while (
          process.env['RIGHT'] === 'together' &&
          !readFileSync(join(root, 'journal'), 'utf8').includes('left begins')
        )
          await sleep(5)
        if (stage) console.log('right prints')
        note('right ends')
      },
    },
    {
      name: 'last',
      needs: ['left', 'right'],
      inputs: {},
      run: ({ resultOf }) => ({ left: resultOf('left') }),
    },
  ]
}

if (process.send && folder && stage) await runStageInChild(diamond(folder), stage, folder)
