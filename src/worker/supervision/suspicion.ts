/**
 * Whether somebody out there ends workers whatever they compute: a death by a signal from outside is nobody's fault once
 * every call that was in the network then has been answered, or where there was none. Pure.
 */

/** A death from outside, and the calls in the network then that have no answer yet. */
interface Death {
  readonly at: number;
  readonly calls: readonly number[];
}

export interface Suspicion {
  readonly open: readonly Death[];
  /** When a worker was last ended from outside through no fault of a call; undefined where it is not known to have happened. */
  readonly provenAt: number | undefined;
}

export const NO_SUSPICION: Suspicion = { open: [], provenAt: undefined };

/** A worker was ended from outside with these calls in its network. */
export function suspected(suspicion: Suspicion, death: Death, windowMs: number): Suspicion {
  const open = [...suspicion.open, death].filter(({ at }) => death.at - at < windowMs);
  return settled({ ...suspicion, open });
}

/** A call was answered: it ended no worker. */
export function acquitted(suspicion: Suspicion, id: number): Suspicion {
  if (!suspicion.open.some(({ calls }) => calls.includes(id))) return suspicion;
  const open = suspicion.open.map((death) => ({
    ...death,
    calls: death.calls.filter((call) => call !== id),
  }));
  return settled({ ...suspicion, open });
}

/** A call ended without an answer: of the deaths that it saw nobody will know. */
export function withdrawn(suspicion: Suspicion, id: number): Suspicion {
  const open = suspicion.open.filter(({ calls }) => !calls.includes(id));
  return open.length === suspicion.open.length ? suspicion : { ...suspicion, open };
}

/** Whether workers have been ended from outside of late through no fault of a call. */
export function isProven({ provenAt }: Suspicion, now: number, windowMs: number): boolean {
  return provenAt !== undefined && now - provenAt < windowMs;
}

function settled({ open, provenAt }: Suspicion): Suspicion {
  const proven = open.filter(({ calls }) => calls.length === 0).map(({ at }) => at);
  return {
    open: open.filter(({ calls }) => calls.length > 0),
    provenAt: proven.length === 0 ? provenAt : Math.max(provenAt ?? -Infinity, ...proven),
  };
}
