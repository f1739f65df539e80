/** How many retries there may be: a share of the calls, so that a server in trouble is not buried under repetitions. */

/** Retries per call that may be earned. */
const SHARE = 0.1;

export class RetryBudget {
  readonly #most: number;
  #tokens: number;

  /** @param reserve retries that are there from the start: as many as calls may be open when a server goes. */
  constructor(reserve: number) {
    this.#most = reserve;
    this.#tokens = reserve;
  }

  /** Every call earns a tenth of a retry. */
  earn(): void {
    this.#tokens = Math.min(this.#most, this.#tokens + SHARE);
  }

  /** Whether a retry may be made; it is paid for then. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
