/** Counters, gauges and histograms in Prometheus' text format, version 0.0.4. */
import { Buckets } from "../../base/time/histogram.ts";

type Labels = Readonly<Record<string, string>>;

/** A family of samples; `render` gives its lines. */
export interface Family {
  render(): string;
}

export class Counter implements Family {
  readonly #head: string;
  readonly #name: string;
  readonly #values = new Map<string, number>();

  constructor(name: string, help: string) {
    this.#name = name;
    this.#head = headOf(name, help, "counter");
  }

  add(labels: Labels = {}, by = 1): void {
    const key = labelText(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + by);
  }

  render(): string {
    return (
      this.#head + [...this.#values].map(([labels, value]) => sample(this.#name, labels, value)).join("")
    );
  }
}

/** A family whose samples are read when somebody asks. */
export class Reading implements Family {
  readonly #name: string;
  readonly #head: string;
  readonly #read: () => number | readonly (readonly [Labels, number])[];

  constructor(
    name: string,
    help: string,
    kind: "counter" | "gauge",
    read: () => number | readonly (readonly [Labels, number])[],
  ) {
    this.#name = name;
    this.#head = headOf(name, help, kind);
    this.#read = read;
  }

  render(): string {
    const read = this.#read();
    const samples = typeof read === "number" ? [[{}, read] as const] : read;
    return (
      this.#head + samples.map(([labels, value]) => sample(this.#name, labelText(labels), value)).join("")
    );
  }
}

export class Histogram implements Family {
  readonly #name: string;
  readonly #head: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { readonly labels: Labels; readonly buckets: Buckets }>();

  /** @param bounds upper bounds of the buckets, ascending. */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#head = headOf(name, help, "histogram");
    this.#bounds = bounds;
  }

  observe(labels: Labels, value: number): void {
    const key = labelText(labels);
    const series = this.#series.get(key) ?? { labels, buckets: new Buckets(this.#bounds) };
    this.#series.set(key, series);
    series.buckets.add(value);
  }

  render(): string {
    const lines = [...this.#series.values()].map(({ labels, buckets: { counts, sum, count } }) => {
      let below = 0;
      const buckets = [...this.#bounds.map(String), "+Inf"].map((le, at) =>
        sample(`${this.#name}_bucket`, labelText({ ...labels, le }), (below += counts[at] ?? 0)),
      );
      const text = labelText(labels);
      return [...buckets, sample(`${this.#name}_sum`, text, sum), sample(`${this.#name}_count`, text, count)];
    });
    return this.#head + lines.flat().join("");
  }
}

function headOf(name: string, help: string, kind: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
}

function sample(name: string, labels: string, value: number): string {
  return `${name}${labels} ${value}\n`;
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escaped(value: string): string {
  return value
    .replaceAll("\\", String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll("\n", String.raw`\n`);
}
