/** Every command, in the order of `emend --help`. A new command is a file here and a line below. */

import type { Command } from 'commander'
import { annotateCommand } from './annotate.js'
import { convertCommand } from './convert.js'
import { demoCommand } from './demo.js'
import { doctorCommand } from './doctor.js'
import { dpoCommand } from './dpo.js'
import { editsCommand } from './edits.js'
import { evaluateCommand } from './evaluate.js'
import { exportCommand } from './export.js'
import { generateCommand } from './generate.js'
import { guardCommand } from './guard.js'
import { importCommand } from './import.js'
import { inspectCommand } from './inspect.js'
import { labelCommand } from './label.js'
import { ppoCommand } from './ppo.js'
import { pullCommand } from './pull.js'
import { rewardCommand } from './reward.js'
import { runCommand } from './run.js'
import { scoreCommand } from './score.js'
import { searchCommand } from './search.js'
import { serveCommand } from './serve.js'
import { sftCommand } from './sft.js'
import { studioCommand } from './studio.js'

export const commands = (): Command[] => [
  demoCommand(),
  runCommand(),
  searchCommand(),
  importCommand(),
  exportCommand(),
  editsCommand(),
  labelCommand(),
  studioCommand(),
  annotateCommand(),
  sftCommand(),
  rewardCommand(),
  ppoCommand(),
  dpoCommand(),
  pullCommand(),
  generateCommand(),
  serveCommand(),
  guardCommand(),
  convertCommand(),
  inspectCommand(),
  scoreCommand(),
  evaluateCommand(),
  doctorCommand(),
]
