/**
 * Runs `action` at the end of its block, however that ends: a destination that is declared before
 * and holds its requests until then can stop, and a test that fails says so at once.
 */
export function atEnd(action: () => void): Disposable {
  return { [Symbol.dispose]: action };
}
