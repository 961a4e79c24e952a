/** Reports of a run or an experiment: a page, and its like for the terminal. */

export { metricCurves } from './curves.js'
export { type GamesReport, renderGames } from './games.js'
export { renderReport } from './html.js'
export type {
  ArmRow,
  Curve,
  EditSegment,
  Fact,
  Heat,
  RedLine,
  ReportData,
  ReportRollout,
  ReportTable,
  TokenReward,
} from './report-data.js'
export { type Colours, coloursOf, heatLine, redLine, renderTable } from './terminal.js'
