/** Runs a suite once per device of this machine, with an honest skip line where there is no accelerator. */
import { describe, test } from 'vitest'
import { type Device, devices } from './device.js'

/** `describe` for every device; a skipped test says when the CPU is all there is. */
export function forEachDevice(name: string, suite: (device: Device) => void): void {
  for (const device of devices()) describe(`${name} on ${device}`, () => suite(device))
  if (devices().length === 1) {
    describe(name, () =>
      test.skip('on cuda: this machine has no CUDA device, or libtorch was built without CUDA', () => {}),
    )
  }
}
