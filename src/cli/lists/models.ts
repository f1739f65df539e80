/** Known models as lines of text. */
import type { ModelEntry } from "../../checkpoints/list.ts";
import { type Column, inColumns } from "../terminal/columns.ts";

const PREFIX = "IMAGENET1K_";
const FIGURES: readonly Column<ModelEntry>[] = [
  { title: "parameters", cell: ({ parameters }) => `${(parameters / 1e6).toFixed(1)} M`, isNumber: true },
  {
    title: "size",
    cell: ({ mebibytes }) => orNone(mebibytes, (size) => `${size.toFixed(0)} MiB`),
    isNumber: true,
  },
  { title: "acc@1", cell: ({ acc1 }) => acc1.toFixed(1), isNumber: true },
  { title: "GFLOPs", cell: ({ gflops }) => orNone(gflops, (count) => count.toFixed(1)), isNumber: true },
  { title: "input", cell: ({ spec }) => `${spec.crop}`, isNumber: true },
];
const WEIGHTS: readonly Column<ModelEntry>[] = [
  { title: "model", cell: ({ model }) => model },
  { title: "weights", cell: ({ name }) => name },
  ...FIGURES,
  { title: "licence", cell: ({ licence }) => licence?.name ?? "-" },
  { title: "integrity", cell: ({ integrity }) => integrity },
  { title: "cache", cell: ({ here }) => (here ? "here" : "-") },
];

/** One line for each model; the figures are those of its first weights. */
export function modelLines(entries: readonly ModelEntry[]): string[] {
  const weightsOf = (model: string): ModelEntry[] => entries.filter((entry) => entry.model === model);
  const rows = entries.filter((entry, place) => entries[place - 1]?.model !== entry.model);
  const columns: readonly Column<ModelEntry>[] = [
    { title: "model", cell: ({ model }) => model },
    ...FIGURES,
    {
      title: `${PREFIX}…`,
      cell: ({ model }) => weightsOf(model).map(marked).join(" "),
    },
  ];
  return inColumns(rows, columns);
}

/** One line for each of the weights. */
export function weightsLines(entries: readonly ModelEntry[]): string[] {
  return inColumns(entries, WEIGHTS);
}

function marked({ name, here, licence }: ModelEntry): string {
  return `${name.replace(PREFIX, "")}${here ? "*" : ""}${licence === null ? "" : "†"}`;
}

function orNone(figure: number | null, written: (figure: number) => string): string {
  return figure === null ? "-" : written(figure);
}
