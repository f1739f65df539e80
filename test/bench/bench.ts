/** The parts of the benchmark that compute, typed: `bench/` is plain JavaScript, because nothing compiles it. */

export interface Pair {
  readonly ours: number;
  readonly rival: number;
}

export interface Row {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly rival: number | null;
  readonly ratio: number | null;
  readonly spread: readonly number[] | null;
  readonly goal: string | null;
  readonly met: boolean | null;
  readonly note?: string;
}

type Goal = object | null;
type Machine = Readonly<Record<string, string | number>>;

interface Statistics {
  readonly median: (values: readonly number[]) => number;
  readonly quantile: (values: readonly number[], q: number) => number;
  readonly compare: (pairs: readonly Pair[]) => Pick<Row, "value" | "rival" | "ratio" | "spread">;
  readonly slope: (points: readonly (readonly number[])[]) => number;
  readonly worstStep: (throughputs: readonly number[]) => Pair;
}

interface Json {
  readonly machine: Machine;
  readonly cases: readonly object[];
}

interface Rows {
  readonly atLeast: (ratio: number) => Goal;
  readonly atMost: (ratio: number) => Goal;
  readonly measured: (
    name: string,
    unit: string,
    pairs: readonly Pair[],
    goal: Goal,
    options?: object,
  ) => Row;
  readonly absent: (name: string, unit: string, goal: Goal, note: string) => Row;
  readonly toJson: (machine: Machine, rows: readonly Row[]) => Json;
  readonly toText: (machine: Machine, rows: readonly Row[]) => string;
}

interface Page {
  readonly toHtml: (machine: Machine, rows: readonly Row[]) => string;
}

const load = (name: string): Promise<unknown> =>
  import(new URL(`../../bench/lib/${name}.mjs`, import.meta.url).href);

export const statistics: Statistics = (await load("statistics")) as Statistics;
export const report: Rows = (await load("rows")) as Rows;
export const page: Page = (await load("page")) as Page;
