/** Files as tensors. */
import { native } from './native.js'
import { Tensor } from './tensor.js'

/**
 * The bytes of a file as a uint8 tensor [size], read as they are touched. Writing to the tensor changes its own copy of
 * the page, never the file. The file must not be cut while the tensor lives: the system kills who touches a lost page.
 * @throws Error naming the path when it cannot be opened or is not a regular file
 */
export function mapFile(path: string): Tensor {
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw new TypeError('mapFile: path must be a file name')
  return new Tensor(native.mapFile(path))
}
