/** Numbers as Python writes them, so that a line of this report and a line of torch can be laid side by side. */

/** `repr(float)`: the shortest digits that read back, `1e-05` and not `0.00001`, `2.0` and not `2`. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [digits = "", exponent = "0"] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    const size = String(Math.abs(power)).padStart(2, "0");
    return `${digits}e${power < 0 ? "-" : "+"}${size}`;
  }
  // JavaScript writes 0.00001 and 1e21 with exponents where Python does not, but never between 1e-4 and 1e16.
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

/** `f"{part / whole:.1%}"`: halves go to the even digit. */
export function pythonPercent(part: number, whole: number): string {
  const percent = (part / whole) * 100;
  const tenths = percent * 10;
  const below = Math.floor(tenths);
  const isHalf = Number.isInteger(percent * 4) && tenths - below === 0.5;
  return isHalf ? `${((below + (below % 2)) / 10).toFixed(1)}%` : `${percent.toFixed(1)}%`;
}
