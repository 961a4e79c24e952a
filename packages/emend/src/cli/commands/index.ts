/** Every command, in the order of `emend --help`. A new command is a file here and a line below. */

import type { Command } from 'commander'
import { doctorCommand } from './doctor.js'
import { labelCommand } from './label.js'

export const commands = (): Command[] => [labelCommand(), doctorCommand()]
