/** The process of one stage of the experiment: config file, folder, stage. */
import { runStageInChild } from '../../pipeline/stage.js'
import { stagesOf } from './run.js'

const [file, folder, stage] = process.argv.slice(2) as [string, string, string]
await runStageInChild(stagesOf(file), stage, folder)
