/** Listening to a signal that many calls have in common, such as the one that a caller gives with each of a folder's pictures. */

/** Who listens to a signal, and the one listener that the signal has for all of them. */
interface Listening {
  readonly all: Set<() => void>;
  readonly fire: () => void;
}

const listening = new WeakMap<AbortSignal, Listening>();

/**
 * Calls `listener` once, when the signal fires; never where it has fired already.
 *
 * However many listen so, the signal has one listener of ours: Node takes eleven for a leak and warns of it.
 *
 * @returns what takes the listener away.
 */
export function onAborted(signal: AbortSignal, listener: () => void): () => void {
  const { all, fire } = listening.get(signal) ?? listen(signal);
  // The same function may listen twice.
  const one = (): void => listener();
  all.add(one);
  return () => {
    all.delete(one);
    if (all.size > 0 || listening.get(signal)?.all !== all) return;
    listening.delete(signal);
    signal.removeEventListener("abort", fire);
  };
}

function listen(signal: AbortSignal): Listening {
  const all = new Set<() => void>();
  const fire = (): void => {
    listening.delete(signal);
    for (const one of all) {
      all.delete(one);
      one();
    }
  };
  signal.addEventListener("abort", fire, { once: true });
  const added = { all, fire };
  listening.set(signal, added);
  return added;
}
