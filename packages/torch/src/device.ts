/** Devices: their names and what this machine has. */
import { native } from './native.js'

/** Where a tensor lives. */
export type Device = 'cpu' | 'cuda' | `cuda:${number}` | 'mps'

/** Names by libtorch's DeviceType code (c10/core/DeviceType.h). */
const types: Readonly<Record<number, string>> = { 0: 'cpu', 1: 'cuda', 12: 'xpu', 13: 'mps', 14: 'meta' }

let found: readonly Device[] | null = null
const interned = new Map<string, number>()

/** The devices of this machine, the CPU first. */
export function devices(): readonly Device[] {
  if (!found) {
    const [type, count] = native.accelerator().split(' ')
    const list: Device[] = ['cpu']
    if (type === 'cuda') for (let i = 0; i < Number(count); i++) list.push(`cuda:${i}`)
    if (type === 'mps') list.push('mps')
    found = list
  }
  return found
}

/** The device's number among the interned strings, or -1 when this machine has none of that name. */
export function deviceId(value: unknown): number {
  if (typeof value !== 'string') return -1
  const known = interned.get(value)
  if (known !== undefined) return known
  const name = value === 'cuda' ? 'cuda:0' : value
  if (!devices().includes(name as Device)) return -1
  const id = native.intern(name)
  interned.set(value, id)
  return id
}

/** The device itself, checked to exist. Throws a TypeError naming those that do. */
export function checkDevice(value: unknown, where: string): Device {
  if (deviceId(value) < 0) {
    throw new TypeError(`${where}: no device ${JSON.stringify(value)} here; there is ${devices().join(', ')}`)
  }
  return value === 'cuda' ? 'cuda:0' : (value as Device)
}

/** The name of libtorch's device type and index. */
export function deviceName(type: number, index: number): Device {
  const name = types[type] ?? `device${type}`
  return (index >= 0 && name !== 'cpu' && name !== 'mps' ? `${name}:${index}` : name) as Device
}
