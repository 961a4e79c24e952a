/** Conversations → the text a model's chat template makes of them, and its ids, of which it is known whose each is. */
import type { Range, TokenizedText } from '@emend/edits'
import { EmendError } from '../errors.js'
import { encodeParts } from './chat-parts.js'
import { type Marked, markWhole, markWords, type Placed } from './content-marks.js'
import { renderJinja } from './jinja.js'
import type { Tokenizer } from './tokenizer.js'

/** One turn of a conversation. Roles are the template's: system, user, assistant. */
export interface Message {
  readonly role: string
  readonly content: string
}

/** How a conversation is rendered. */
export interface ChatOptions {
  /** Whether the beginning of an answer is put at the end; default false. */
  readonly addGenerationPrompt?: boolean
  /** Which of several templates; default `default`. */
  readonly template?: string
  /** Further variables that the template reads, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>
}

/** A conversation in ids. */
export interface EncodedChat extends TokenizedText {
  /** [N] 1 where the assistant is to have written the token: its contents and the special token that ends its turn. */
  readonly assistant: Uint8Array
}

/** The names of the templates of a tokenizer: none, `default`, or several. */
export function chatTemplates(tokenizer: Tokenizer): readonly string[] {
  return [...templatesOf(tokenizer).keys()]
}

/**
 * The text of a conversation.
 *
 * @throws EmendError of one line: no template, one that is broken, refuses the messages, or does not end
 */
export async function renderChat(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  options: ChatOptions = {},
): Promise<string> {
  return render(templateOf(tokenizer, options), tokenizer, wellFormed(messages), options)
}

/**
 * A conversation in ids. They are those of Python's `apply_chat_template(…, tokenize=True)`, but for two cases:
 *
 * - A content that spells a token such as `<|im_end|>` gives no such token: it stays text. In the assistant's own contents
 *   tokens that are not special, such as `<think>`, are tokens.
 * - No token begins in the template and ends in the assistant's part: where one would, it is cut there, as it is when the
 *   model writes its answer after the prompt. Borders of other contents are not cut.
 *
 * The assistant's part begins where a prompt for generation would end (`[/INST]`, after which the space is the model's), or
 * with its content where the template writes something of its own before it.
 *
 * @throws EmendError of one line: no template, one that is broken, refuses the messages, does not end, or changes contents so
 *   that it is not known where they are
 */
export async function encodeChat(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  options: ChatOptions = {},
): Promise<EncodedChat> {
  const template = templateOf(tokenizer, options)
  const said = wellFormed(messages)
  const text = await render(template, tokenizer, said, options)
  const placed = await place(template, tokenizer, said, options, text)
  const turn = await turnOf(template, tokenizer, options)
  const spoken = placed.flatMap(({ message, range }): Range[] =>
    said[message]?.role === 'assistant' ? [wholeTurn(text, range, turn)] : [],
  )
  const contents = placed.map(({ message, range }) => ({ own: said[message]?.role === 'assistant', range }))
  const encoded = await encodeParts(tokenizer, text, contents, spoken)
  const assistant = Uint8Array.from(encoded.cover, ([start, end]) =>
    spoken.some(([from, to]) => start >= from && start < to && end <= to) ? 1 : 0,
  )
  return { ...encoded, assistant }
}

const wellFormed = (messages: readonly Message[]): Message[] =>
  messages.map(({ role, content }, i) => {
    if (typeof role === 'string' && typeof content === 'string') return { role, content: content.toWellFormed() }
    throw new EmendError(`message ${i + 1}: expected {role, content} of text, got ${JSON.stringify({ role, content })}`)
  })

/** The templates that tokenizer_config.json holds, by name. */
function templatesOf({ config }: Tokenizer): Map<string, string> {
  const found = config?.['chat_template']
  if (typeof found === 'string') return new Map([['default', found]])
  if (!Array.isArray(found)) return new Map()
  const named = found as readonly { name?: unknown; template?: unknown }[]
  return new Map(named.flatMap(one => (typeof one?.template === 'string' ? [[String(one.name), one.template]] : [])))
}

function templateOf(tokenizer: Tokenizer, { template: name = 'default' }: ChatOptions): string {
  const templates = templatesOf(tokenizer)
  const template = templates.get(name)
  if (template !== undefined) return template
  throw new EmendError(
    templates.size === 0
      ? 'the model has no chat template (chat_template in tokenizer_config.json, or chat_template.jinja); give text, or an instruction-tuned model'
      : `no chat template '${name}'; the model has ${[...templates.keys()].join(', ')}`,
  )
}

const WHERE = 'chat template'

async function render(template: string, tokenizer: Tokenizer, messages: readonly Message[], options: ChatOptions) {
  const variables = {
    ...specialNames(tokenizer),
    tools: null,
    documents: null,
    ...options.variables,
    messages,
    add_generation_prompt: options.addGenerationPrompt ?? false,
  }
  return (await renderJinja(template, [variables], WHERE))[0] as string
}

/** `bos_token` and the like, as the template reads them. */
function specialNames({ config = {} }: Tokenizer): Record<string, string> {
  const names: Record<string, string> = {}
  for (const [key, value] of Object.entries(config)) {
    const content = typeof value === 'string' ? value : (value as { content?: unknown } | null)?.content
    if (key.endsWith('_token') && typeof content === 'string') names[key] = content
  }
  return names
}

/** Where contents stand: by one mark each, or a mark a word where the template takes contents apart. */
async function place(
  template: string,
  tokenizer: Tokenizer,
  messages: readonly Message[],
  options: ChatOptions,
  text: string,
): Promise<Placed[]> {
  const contents = messages.map(message => message.content)
  const tries: (() => Marked)[] = [
    () => markWhole(contents),
    () =>
      markWords(
        contents,
        messages.map(({ role }) => readable(template, role === 'assistant' ? tokenizer.specials : tokenizer.added)),
      ),
  ]
  for (const marking of tries) {
    const { contents: marks, read } = marking()
    const marked = messages.map((message, i) => ({ ...message, content: marks[i] as string }))
    const found = await render(template, tokenizer, marked, options).then(read, () => undefined)
    if (found?.text === text) return found.placed
  }
  throw new EmendError(
    `${WHERE}: it changes the messages so that their contents cannot be told from its own text; expected one that writes them out`,
  )
}

/** Words that the template itself writes or looks for, those apart in which a token of `secret` could be forged. */
function readable(template: string, secret: ReadonlyMap<string, number>): string[] {
  const literals = [...template.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/gs)].map(([, one, two]) =>
    (one ?? two ?? '').replace(/\\n/g, '\n').trim(),
  )
  const words = [...new Set(literals)].filter(
    word => word.length > 1 && !/\s/.test(word) && ![...secret.keys()].some(token => word.includes(token)),
  )
  return words.sort((a, b) => b.length - a.length)
}

/** What a template writes around what the assistant says: white space before it, and what ends the turn. */
interface Turn {
  readonly before: string
  readonly after: string
}

const turns = new WeakMap<Tokenizer, Map<string, Promise<Turn>>>()

/** Found on the shortest conversation there is, once for each template. */
function turnOf(template: string, tokenizer: Tokenizer, options: ChatOptions): Promise<Turn> {
  const known = turns.get(tokenizer) ?? new Map<string, Promise<Turn>>()
  turns.set(tokenizer, known)
  const key = JSON.stringify([template, options.variables ?? null])
  const turn = known.get(key) ?? probe(template, tokenizer, options)
  known.set(key, turn)
  return turn
}

async function probe(template: string, tokenizer: Tokenizer, options: ChatOptions): Promise<Turn> {
  const [question, answer] = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ]
  const marks = markWhole([question.content, answer.content])
  const marked = [question, answer].map((message, i) => ({ ...message, content: marks.contents[i] as string }))
  try {
    const prompt = await render(template, tokenizer, [question], { ...options, addGenerationPrompt: true })
    const whole = marks.read(await render(template, tokenizer, marked, { ...options, addGenerationPrompt: false }))
    const [start, end] = whole?.placed.find(({ message }) => message === 1)?.range ?? [0, 0]
    const before = whole?.text.startsWith(prompt) ? (whole.text.slice(prompt.length, start) as string) : ''
    return {
      before: before.trim() === '' ? before : '',
      after: endOfTurn(whole?.text.slice(end) ?? '', tokenizer.specials.keys()),
    }
  } catch {
    // A template that refuses so short a conversation: a turn ends with the token that ends a text.
    const eos = [...tokenizer.specials].find(([, id]) => id === tokenizer.eosId)?.[0]
    return { before: '', after: eos ?? '' }
  }
}

/** White space and the special token after it, if there is one. */
function endOfTurn(text: string, specials: Iterable<string>): string {
  const space = text.slice(0, text.length - text.trimStart().length)
  const ends = [...specials].filter(special => text.startsWith(special, space.length)).map(special => special.length)
  return ends.length === 0 ? '' : text.slice(0, space.length + Math.max(...ends))
}

function wholeTurn(text: string, [start, end]: Range, { before, after }: Turn): Range {
  return [
    text.slice(0, start).endsWith(before) ? start - before.length : start,
    text.startsWith(after, end) ? end + after.length : end,
  ]
}
