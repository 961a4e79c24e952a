// Clients at once against `emend serve`, and how quickly /healthz answers meanwhile, asked by a process of its own.
//   node benchmarks/serve.mjs MODEL [CLIENTS] [TOKENS] [arguments of emend serve …]
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(import.meta.url)
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]

if (process.send) await probe(process.argv[2])
else await bench(process.argv[2], Number(process.argv[3] ?? 64), Number(process.argv[4] ?? 64), process.argv.slice(5))

/** Asks /healthz every 5 ms until told to stop; sends the milliseconds it took each time. */
async function probe(url) {
  let running = true
  process.once('message', () => {
    running = false
  })
  const times = []
  await fetch(`${url}/healthz`).then(response => response.text())
  process.send('ready')
  while (running) {
    const from = performance.now()
    await fetch(`${url}/healthz`).then(response => response.text())
    times.push(performance.now() - from)
    await sleep(5)
  }
  process.send(times)
  process.disconnect()
}

async function bench(model, clients, tokens, args) {
  const command = fileURLToPath(new URL('../packages/emend/dist/cli/main.js', import.meta.url))
  const server = spawn(process.execPath, [command, 'serve', model, '--port', '0', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface(server.stdout), 'line')
  const { url, model: name } = JSON.parse(line)

  for (const stream of [false, true]) {
    const prober = fork(here, [url])
    await once(prober, 'message')
    const from = performance.now()
    const answers = await Promise.all(
      Array.from({ length: clients }, async (_, i) => {
        const response = await fetch(`${url}/v1/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            model: name,
            prompt: `Once upon a time ${'there was a cat '.repeat(1 + (i % 10))}`,
            max_tokens: tokens,
            seed: i,
            stream,
            ...(stream && { stream_options: { include_usage: true } }),
          }),
        })
        const text = await response.text()
        const last = stream ? text.split('\n\n').at(-3).slice(6) : text
        return JSON.parse(last).usage.completion_tokens
      }),
    )
    const seconds = (performance.now() - from) / 1000
    prober.send('stop')
    const [times] = await once(prober, 'message')
    times.sort((a, b) => a - b)
    const ms = q => `${quantile(times, q).toFixed(1)} ms`
    const total = answers.reduce((sum, n) => sum + n, 0)
    console.log(
      `${clients} clients, ${stream ? 'streamed' : 'whole'}: ${total} tokens in ${seconds.toFixed(1)} s, ${(total / seconds).toFixed(0)} tokens/s; ` +
        `/healthz median ${ms(0.5)}, 95 % ${ms(0.95)}, 99 % ${ms(0.99)}, longest ${ms(1)} of ${times.length}, ${times.filter(t => t >= 20).length} from 20 ms on`,
    )
  }
  server.kill('SIGINT')
  await once(server, 'close')
}
