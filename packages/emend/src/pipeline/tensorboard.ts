/** TensorBoard events, made from metrics.jsonl: scalars only, in the record format of TensorFlow. */

import { join } from 'node:path'
import { writeAtomically } from './atomic-file.js'
import type { MetricsRow } from './jsonl-log.js'
import { readMetrics } from './run-folder.js'

// @roboflow/tfrecords frames `Example` records only and brings three packages older than Node 20; this is all it takes.

/** Name of the events file in a run's folder; TensorBoard looks for `tfevents`. */
export const EVENTS_FILE = 'events.out.tfevents.0000000000.emend'

/**
 * Writes the events of a run's folder from its `metrics.jsonl`, whole. Call it whenever the log has grown: the file
 * follows the log, also when a resume cut it back.
 * @param wallTime seconds since 1970 that every event bears; metrics carry no clock, and equal runs write equal events.
 * @returns the path of the events file.
 */
export function writeEvents(folder: string, wallTime = 0): string {
  const path = join(folder, EVENTS_FILE)
  writeAtomically(path, eventsOf(readMetrics(join(folder, 'metrics.jsonl')), wallTime))
  return path
}

/** The bytes of an events file with a scalar for every metric of every row. */
export function eventsOf(rows: readonly MetricsRow[], wallTime = 0): Buffer {
  const time = Buffer.concat([key(1, 1), double(wallTime)])
  const head = Buffer.concat([time, key(3, 2), text('brain.Event:2')])
  const events = rows.map(({ step, ...metrics }) => {
    const values = Object.entries(metrics).map(([name, value]) =>
      Buffer.concat([key(1, 2), sized(Buffer.concat([key(1, 2), text(name), key(2, 5), float(value)]))]),
    )
    // A step of 0 is protobuf's default and is left out, as TensorBoard's own writer does.
    const at = step === 0 ? [] : [key(2, 0), varint(BigInt.asUintN(64, BigInt(step)))]
    return Buffer.concat([time, ...at, key(5, 2), sized(Buffer.concat(values))])
  })
  return Buffer.concat([head, ...events].map(record))
}

/** One record: length (64 bits) and its checksum, the data and its checksum. */
function record(data: Buffer): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(data.length))
  return Buffer.concat([length, maskedChecksum(length), data, maskedChecksum(data)])
}

/** CRC-32C, rotated and shifted: checksums of checksums would be weak. */
function maskedChecksum(data: Buffer): Buffer {
  let crc = 0xffffffff
  for (const byte of data) crc = CRC32C[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  crc = (crc ^ 0xffffffff) >>> 0
  const masked = Buffer.alloc(4)
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0)
  return masked
}

/** Table of the Castagnoli polynomial, reflected. */
const CRC32C = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc >>> 0
})

// Protobuf: a field is its number and wire type, then its value.
const key = (field: number, wire: 0 | 1 | 2 | 5) => Buffer.of((field << 3) | wire)
const text = (value: string) => sized(Buffer.from(value))
const sized = (bytes: Buffer) => Buffer.concat([varint(BigInt(bytes.length)), bytes])

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128)
  return Buffer.from([...bytes, Number(value)])
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return bytes
}

function float(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}
