/** A float32 tensor as torch prints it, by the rules of torch's own printer with its default options. */
import { IsotorchError } from "../../base/errors.ts";

const PRECISION = 4;
/** Digits enough to tell a tie: no float32 is within 1e-15 of one without being one. */
const EXACT = 20;
const LARGEST_PRINTED_IN_FULL = 1000;
const LINE_WIDTH = 80;
const PREFIX = "tensor(";

/**
 * What `repr(tensor)` gives for a float32 tensor on the CPU.
 *
 * @param shape one or more dimensions, at most 1,000 elements in all: torch shortens longer ones.
 * @param suffixes what follows the values, such as `grad_fn=<AddmmBackward0>`.
 * @throws IsotorchError `INVALID_INPUT` for a tensor without elements, with more than 1,000, or of another shape.
 * @example
 * printTensor(new Float32Array([1.5, -2]), [1, 2]); // "tensor([[ 1.5000, -2.0000]])"
 */
export function printTensor(
  data: Float32Array,
  shape: readonly number[],
  suffixes: readonly string[] = [],
): string {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (
    shape.length === 0 ||
    elements !== data.length ||
    elements === 0 ||
    elements > LARGEST_PRINTED_IN_FULL
  ) {
    throw new IsotorchError(
      "INVALID_INPUT",
      `A tensor of shape [${shape.join()}] with ${data.length} values cannot be printed in full.`,
      { hint: "Give at least one dimension and 1 to 1,000 values." },
    );
  }
  const format = formatFor(data);
  return withSuffixes(PREFIX + nested([...data], shape, PREFIX.length, format), suffixes);
}

interface Format {
  readonly width: number;
  write(value: number): string;
}

function nested(values: readonly number[], shape: readonly number[], indent: number, format: Format): string {
  const [size = 0, ...inner] = shape;
  if (inner.length === 0) return row(values, indent, format);
  const step = values.length / size;
  const parts = Array.from({ length: size }, (_, at) =>
    nested(values.slice(at * step, (at + 1) * step), inner, indent + 1, format),
  );
  return `[${parts.join(`,${"\n".repeat(inner.length)}${" ".repeat(indent + 1)}`)}]`;
}

function row(values: readonly number[], indent: number, format: Format): string {
  const perLine = Math.max(1, Math.floor((LINE_WIDTH - indent) / (format.width + 2)));
  const written = values.map((value) => format.write(value).padStart(format.width));
  const lines: string[] = [];
  for (let at = 0; at < written.length; at += perLine) lines.push(written.slice(at, at + perLine).join(", "));
  return `[${lines.join(`,\n${" ".repeat(indent + 1)}`)}]`;
}

function withSuffixes(text: string, suffixes: readonly string[]): string {
  let out = text;
  // Two more than the last line has: torch counts so.
  let length = text.length - text.lastIndexOf("\n") + 1;
  for (const suffix of suffixes) {
    const breaks = length + suffix.length + 2 > LINE_WIDTH;
    out += breaks ? `,\n${" ".repeat(PREFIX.length)}${suffix}` : `, ${suffix}`;
    length = breaks ? PREFIX.length + suffix.length : length + suffix.length + 2;
  }
  return `${out})`;
}

/** One notation and one width for all values: torch chooses both by those that are finite and not zero. */
function formatFor(data: Float32Array): Format {
  const counted = [...data].filter((value) => Number.isFinite(value) && value !== 0);
  const sizes = counted.map(Math.abs);
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const smallest = sizes.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const whole = counted.every(Number.isInteger);
  const scientific = largest / smallest > 1000 || largest > 1e8 || (!whole && smallest < 1e-4);
  const write = scientific ? exponential : whole ? integer : fixed;
  return { width: counted.reduce((width, value) => Math.max(width, write(value).length), 1), write };
}

function integer(value: number): string {
  if (!Number.isFinite(value)) return nonFinite(value);
  return `${Object.is(value, -0) ? "-0" : value}.`;
}

function fixed(value: number): string {
  if (!Number.isFinite(value)) return nonFinite(value);
  return signed(value, (size) => halfToEven(size.toFixed(PRECISION), size.toFixed(EXACT)));
}

function exponential(value: number): string {
  if (!Number.isFinite(value)) return nonFinite(value);
  return signed(value, (size) => {
    const [exact = ""] = size.toExponential(EXACT).split("e");
    const [rounded = "", exponent = ""] = size.toExponential(PRECISION).split("e");
    const digits = exponent.slice(1).padStart(2, "0");
    return `${halfToEven(rounded, exact)}e${exponent.slice(0, 1)}${digits}`;
  });
}

/** JavaScript rounds a tie away from zero, Python to the even digit; float32 values do meet ties. */
function halfToEven(rounded: string, exact: string): string {
  const isTie = /^50*$/.test(exact.slice(exact.indexOf(".") + 1 + PRECISION));
  const last = Number(rounded.at(-1));
  return isTie && last % 2 === 1 ? rounded.slice(0, -1) + String(last - 1) : rounded;
}

function signed(value: number, write: (size: number) => string): string {
  return (value < 0 || Object.is(value, -0) ? "-" : "") + write(Math.abs(value));
}

function nonFinite(value: number): string {
  if (Number.isNaN(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}
