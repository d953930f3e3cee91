/** Promises of browsers that may never settle: `resume()` without a sound output, `close()` of an interrupted context. */

/** @param {Promise<unknown>} promise @param {number} ms @returns {Promise<boolean>} whether it was fulfilled in time */
export function isFulfilled(promise, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    const settle = (isDone) => (clearTimeout(timer), resolve(isDone));
    promise.then(
      () => settle(true),
      () => settle(false),
    );
  });
}
