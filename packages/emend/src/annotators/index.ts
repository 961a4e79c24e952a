/** Who edits: people through the studio, programs and language models through the same queue. */
export type { Annotator, Draft, Edited, Failing } from './annotator.js'
export { EDITOR_PROMPT, editorMessages } from './editor-prompt.js'
export { type Forecast, forecast } from './forecast.js'
export { type LlmEditorOptions, llmEditor } from './llm.js'
export { annotateQueue, type QueueOptions, type QueueReport } from './queue.js'
export { scriptedAnnotator } from './scripted.js'
export { scriptedEditorModel } from './scripted-model.js'
