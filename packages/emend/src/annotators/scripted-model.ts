/** A scripted annotator behind a chat: the same edits through the door of language models. */
import type { ChatModel } from '../providers/chat-model.js'
import { scriptedModel } from '../providers/scripted.js'
import { section } from '../providers/sections.js'
import type { Annotator } from './annotator.js'
import { readEditorMessages } from './editor-prompt.js'

/** Understands what an editor is asked, and answers with what the annotator would write; with the draft where it rejects it. */
export function scriptedEditorModel(annotator: Annotator): ChatModel {
  return scriptedModel(`scripted:${annotator.by.name}`, async messages => {
    const { instruction, draft } = readEditorMessages(messages)
    const edited = await annotator.edit({ prompt: instruction, draft })
    return section('final', 'final' in edited ? edited.final : draft)
  })
}
