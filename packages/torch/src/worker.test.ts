import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { memory, tensor } from './index.js'
import { packageFolder } from './setup/places.js'

const built = join(packageFolder, 'dist', 'index.js')

/** Runs code in a worker against the compiled package and gives what it posted and how it ended. */
function inWorker(code: string): Promise<{ message: unknown; exit: number }> {
  return new Promise((resolve, reject) => {
    const source = `
      import { parentPort } from 'node:worker_threads'
      const { torch, tensor, memory, scope } = await import(${JSON.stringify(pathToFileURL(built).href)})
      ${code}`
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
    let message: unknown
    worker.on('message', value => {
      message = value
    })
    worker.on('error', reject)
    worker.on('exit', exit => resolve({ message, exit }))
  })
}

test.skipIf(!existsSync(built))('a worker computes, exits, and gives its memory back', async () => {
  const mine = tensor([1, 2, 3])
  const before = memory()
  for (let round = 0; round < 3; round++) {
    const { message, exit } = await inWorker(`
      const x = torch.ones([1 << 20], { dtype: 'float64' })
      x.requiresGrad = true
      x.mul(x).sum().backward()
      parentPort.postMessage([x.grad.sum().item(), memory().tensors])`)
    expect(exit).toBe(0)
    expect(message).toEqual([2 ** 21, 5])
  }
  expect(mine.tolist()).toEqual([1, 2, 3])
  // Garbage collection may have freed tensors of ours meanwhile.
  expect(memory().tensors).toBeLessThanOrEqual(before.tensors)
  expect(memory().bytes).toBeLessThanOrEqual(before.bytes)
})

test.skipIf(!existsSync(built))('handles of another thread mean nothing here', async () => {
  const { message } = await inWorker(`
    try { torch.add(tensor([1]), structuredClone({ handle: ${tensor([1]).handle} })) } catch (error) { parentPort.postMessage(error.message) }`)
  expect(message).toContain("torch.add: argument 'other' (2nd) must be Tensor | number")
})
