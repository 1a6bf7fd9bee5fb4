// Waiting for what the world does: an event or a condition, never a stretch of time.

export const kDeadline = 15_000; // generous: the tests share two cores with browsers

/** Asks again and again until `probe` gives something other than undefined, false or null. */
export async function until<T>(what: string, probe: () => T | Promise<T>, deadline = kDeadline): Promise<NonNullable<T>> {
  const end = Date.now() + deadline;
  let last: unknown;
  for (;;) {
    const value = await within('it is told', Promise.resolve().then(probe), Math.max(end - Date.now(), 1_000)).catch((error: unknown) => {
      last = error;
      return undefined;
    });
    if (value !== undefined && value !== false && value !== null) return value as NonNullable<T>;
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}${last ? ` (${String(last)})` : ''}`);
    await pause(50);
  }
}

/** Rejects with `what` if the promise is not settled in time. */
export function within<T>(what: string, promise: Promise<T>, deadline = kDeadline): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadline} ms: ${what}`)), deadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
