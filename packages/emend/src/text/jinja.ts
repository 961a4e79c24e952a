/** Jinja templates of strangers, rendered beside the program: one that never ends or fills memory harms nothing. */
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { EmendError } from '../errors.js'

/** How long one call may take, in milliseconds; real templates take less than one. */
const TIME_LIMIT = 2000
/** Memory for all that a template makes, in MiB. */
const MEMORY_LIMIT = 256
/** Longest text that a template may make, in UTF-16 units. */
const LONGEST = 1 << 26

// A string and no module, so that it runs the same from sources and from the compiled package.
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads')
const { Template, Interpreter, Environment, parse, tokenize } = require(workerData.jinja)

// Python strips the characters it is told to, and white space only where it is told none; the library forgets to look.
const text = new Interpreter(new Environment()).run(parse(tokenize('{{ "" }}')))
const { constructor: StringValue } = text
const { constructor: FunctionValue } = text.builtins.get('strip')
const { get: builtins } = Object.getOwnPropertyDescriptor(StringValue.prototype, 'builtins')
Object.defineProperty(StringValue.prototype, 'builtins', {
  get() {
    const known = builtins.call(this)
    if (known.strips) return known
    known.strips = true
    for (const [name, left, right] of [['strip', true, true], ['lstrip', true, false], ['rstrip', false, true]]) {
      const blank = known.get(name)
      known.set(name, new FunctionValue((args, scope) => {
        if (!(args[0] instanceof StringValue)) return blank.value(args, scope)
        const told = new Set(args[0].value)
        const all = [...this.value]
        const from = left ? all.findIndex(one => !told.has(one)) : 0
        const to = right ? all.findLastIndex(one => !told.has(one)) + 1 : all.length
        return new StringValue(from < 0 ? '' : all.slice(from, to).join(''))
      }))
    }
    return known
  },
})

let source, template
parentPort.on('message', ({ text, variables }) => {
  try {
    if (text !== source) template = undefined
    template ??= new Template(text)
    source = text
    const rendered = variables.map(values => template.render(values))
    const long = rendered.find(one => one.length > workerData.longest)
    parentPort.postMessage(long === undefined ? { rendered } : { error: 'it makes a text of ' + long.length + ' characters' })
  } catch (error) {
    parentPort.postMessage({ error: String((error && error.message) || error) })
  }
})
parentPort.postMessage('ready')
`

type Answer = { readonly rendered: readonly string[] } | { readonly error: string }

let worker: Promise<Worker> | undefined
let last: Promise<unknown> = Promise.resolve()

/**
 * Renders a template once for each set of variables, in a thread with limits of time and memory. Calls wait for each other.
 *
 * @param where what an error starts with
 * @throws EmendError of one line where the template is broken, refuses (`raise_exception`), or does not end within 2 s
 */
export function renderJinja(
  text: string,
  variables: readonly Readonly<Record<string, unknown>>[],
  where: string,
): Promise<readonly string[]> {
  const answer = last.then(() => ask({ text, variables }))
  last = answer.catch(() => {})
  return answer.then(given => {
    if ('rendered' in given) return given.rendered
    const why = given.error.length > 300 ? `${given.error.slice(0, 300)}…` : given.error
    throw new EmendError(`${where}: cannot be rendered: ${why}`)
  })
}

async function ask(request: { text: string; variables: readonly unknown[] }): Promise<Answer> {
  worker ??= start()
  const asked = await worker
  return new Promise(resolve => {
    let answered = false
    const end = (answer: Answer) => {
      answered = true
      clearTimeout(timer)
      asked.off('message', end).off('error', fail)
      asked.unref()
      resolve(answer)
    }
    const fail = (error: NodeJS.ErrnoException) => {
      worker = undefined
      void asked.terminate()
      const full = error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      end({ error: full ? `it fills ${MEMORY_LIMIT} MiB of memory` : error.message })
    }
    // Where this thread was busy, the answer may have come and not been heard: it is heard before `setImmediate`.
    const timer = setTimeout(
      () => setImmediate(() => answered || fail(new Error(`it has not ended after ${TIME_LIMIT / 1000} s`))),
      TIME_LIMIT,
    )
    asked.ref()
    asked.on('message', end).on('error', fail)
    asked.postMessage(request)
  })
}

function start(): Promise<Worker> {
  const started = new Worker(WORKER, {
    eval: true,
    workerData: { jinja: createRequire(import.meta.url).resolve('@huggingface/jinja'), longest: LONGEST },
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT },
  })
  // Its beginning does not count as a template's time. An error after its end, when nobody asks, is nobody's.
  return new Promise((resolve, reject) => started.on('error', reject).once('message', () => resolve(started)))
}
