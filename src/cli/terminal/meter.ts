/** How far a long run is, how fast, and how long it will take. */
import { type StatusLine, barOf, spanOf } from "./status-line.ts";

const EVERY_MS = 250;
/** The speed of the last so many seconds counts: it changes when a server comes or goes. */
const WINDOW_MS = 30_000;

export class Meter {
  readonly #total: number | undefined;
  readonly #status: StatusLine | undefined;
  readonly #marks: { readonly at: number; readonly done: number }[] = [];
  #done: number;
  #shownAt = Number.NEGATIVE_INFINITY;

  /**
   * @param done pictures that earlier runs have answered.
   * @param total undefined where nobody knows.
   * @param status where that is shown; undefined shows nothing.
   */
  constructor(done: number, total: number | undefined, status: StatusLine | undefined) {
    this.#done = done;
    this.#total = total;
    this.#status = status;
  }

  /** One more is done. @param words what else there is to say. */
  count(words: string = "", now: number = performance.now()): void {
    if (this.#marks.length === 0) this.#marks.push({ at: now, done: this.#done });
    this.#done += 1;
    if (now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    this.#marks.push({ at: now, done: this.#done });
    while (this.#marks.length > 2 && now - (this.#marks[0]?.at ?? now) > WINDOW_MS) this.#marks.shift();
    this.#status?.show(words === "" ? this.line() : `${this.line()}  ${words}`);
  }

  line(): string {
    const [first] = this.#marks;
    const last = this.#marks.at(-1);
    const seconds = ((last?.at ?? 0) - (first?.at ?? 0)) / 1_000;
    const rate = seconds > 0 ? ((last?.done ?? 0) - (first?.done ?? 0)) / seconds : undefined;
    const speed = rate === undefined ? "" : `  ${rate.toFixed(rate < 10 ? 1 : 0)}/s`;
    if (this.#total === undefined) return `${this.#done}${speed}`;
    const share = this.#total === 0 ? 1 : Math.min(1, this.#done / this.#total);
    const left =
      rate === undefined || rate === 0 ? "" : `  ${spanOf((this.#total - this.#done) / rate)} left`;
    return `${barOf(share)} ${this.#done}/${this.#total}  ${(share * 100).toFixed(1)} %${speed}${left}`;
  }

  /** What is said at the end. */
  summary(): string {
    return this.#total === undefined ? `${this.#done} lines` : `${this.#done} of ${this.#total} lines`;
  }

  /** Takes the line away. */
  clear(): void {
    this.#status?.clear();
  }
}
