/** Which BLAS library `setup --via apt` takes: stand-ins for Debian's alternatives, and for the Python that times each. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { chooseBlas } from "../../src/setup/blas.ts";
import { surroundings } from "../../src/python/surroundings.ts";
import { testMachine } from "../fixtures/environments/machine.ts";

/** What comes out of a product with each library, by its folder; `undefined`: it crashes. */
type Libraries = Readonly<
  Record<string, { readonly gflops: number; readonly isRight?: boolean } | undefined>
>;

interface Given {
  readonly current: string;
  readonly status?: "auto" | "manual";
  readonly libraries: Libraries;
}

interface Chosen {
  readonly said: string;
  /** The folder of the library that was set; `undefined` where none was. */
  readonly set: string | undefined;
}

async function choose({ current, status = "auto", libraries }: Given): Promise<Chosen> {
  await using machine = await testMachine();
  await machine.tool("update-alternatives");
  const python = await machine.python(join(machine.root, "usr/bin/python3"));
  const fileOf = (folder: string): string => join(machine.root, folder, "libblas.so.3");
  for (const [folder, found] of Object.entries(libraries)) {
    mkdirSync(dirname(fileOf(folder)));
    const says = { blas: `some: ${folder}/libblas.so.3, ${folder}/more`, isRight: true, size: 256, ...found };
    if (found) writeFileSync(join(dirname(fileOf(folder)), "says"), JSON.stringify(says));
  }
  const alternatives = join(machine.root, "alternatives");
  const files = Object.keys(libraries).map(fileOf);
  const selection = `libblas.so.3-x86_64-linux-gnu  ${status}  ${fileOf(current)}`;
  writeFileSync(alternatives, [selection, ...files, ""].join("\n"));
  const environ = { ...machine.at.environ, ISOTORCH_STANDIN_ALTERNATIVES: alternatives };
  const at = surroundings({ environ, systemPythons: [] });
  const said: string[] = [];
  const request = { say: (line: string) => void said.push(line), echo: () => undefined };
  await chooseBlas(python, request, {
    at,
    isRoot: true,
    osRelease: "",
    distributionPython: python,
    arch: "x64",
  });
  const log = join(machine.root, "log");
  const set = existsSync(log) ? readFileSync(log, "utf8").trim() : "";
  return { said: said.join("\n"), set: /(\S+)\/libblas\.so\.3$/.exec(set)?.[1]?.split("/").at(-1) };
}

describe("the quickest library by measurement", () => {
  test("is set, and it is said that bits change and how to go back", async () => {
    const { said, set } = await choose({
      current: "blas",
      libraries: { blas: { gflops: 1 }, "openblas-pthread": { gflops: 60 } },
    });
    expect(set).toBe("openblas-pthread");
    expect(said).toContain("blas/libblas.so.3 1 GFLOP/s, openblas-pthread/libblas.so.3 60 GFLOP/s");
    expect(said).toContain("PyTorch multiplies matrices with openblas-pthread/libblas.so.3.");
    expect(said).toMatch(
      /The last bits of answers change with the library; .*--set libblas\.so\.3-x86_64-linux-gnu .*\/blas\/libblas/,
    );
  });

  test("is left where it is what the distribution took", async () => {
    const { said, set } = await choose({
      current: "openblas-pthread",
      libraries: { blas: { gflops: 1 }, "openblas-pthread": { gflops: 60 } },
    });
    expect(set).toBeUndefined();
    expect(said).toContain("PyTorch multiplies matrices with openblas-pthread/libblas.so.3.");
  });

  test("is the reference where OpenBLAS is slower, as on a processor that it takes for an old one", async () => {
    const libraries = { blas: { gflops: 8 }, "openblas-pthread": { gflops: 3 } };
    expect((await choose({ current: "openblas-pthread", libraries })).set).toBe("blas");
  });

  test("is not taken for a difference that a busy machine makes", async () => {
    const libraries = { blas: { gflops: 8 }, "openblas-pthread": { gflops: 9 } };
    expect((await choose({ current: "blas", libraries })).set).toBeUndefined();
  });
});

describe("a library is left out", () => {
  const quick = { gflops: 60 };

  test("that multiplies wrongly, however quickly", async () => {
    const wrong = {
      current: "openblas-pthread",
      libraries: { blas: { gflops: 1 }, "openblas-pthread": { ...quick, isRight: false } },
    };
    const { said, set } = await choose(wrong);
    expect(set).toBe("blas");
    expect(said).toContain("openblas-pthread/libblas.so.3 is left out: its product is wrong");
  });

  test("that crashes", async () => {
    const { said, set } = await choose({
      current: "openblas-pthread",
      libraries: { blas: { gflops: 1 }, "openblas-pthread": undefined },
    });
    expect(set).toBe("blas");
    expect(said).toContain("openblas-pthread/libblas.so.3 is left out: its product ended with 134");
  });

  test("that is not the one which PyTorch then loads", async () => {
    const elsewhere = { ...quick, blas: "MKL 2024.2" };
    const { said, set } = await choose({
      current: "blas",
      libraries: { blas: { gflops: 1 }, mkl: elsewhere },
    });
    expect(set).toBeUndefined();
    expect(said).toContain("mkl/libblas.so.3 is left out: PyTorch loads MKL 2024.2 in its place");
  });

  test("with all others, and then nothing changes", async () => {
    const { said, set } = await choose({ current: "blas", libraries: { blas: undefined, atlas: undefined } });
    expect(set).toBeUndefined();
    expect(said).toContain("The BLAS library stays as it is: none could be timed.");
  });
});

test("what was set before stays", async () => {
  const { said, set } = await choose({
    current: "blas",
    status: "manual",
    libraries: { blas: { gflops: 1 }, "openblas-pthread": { gflops: 60 } },
  });
  expect(set).toBeUndefined();
  expect(said).toMatch(
    /^The BLAS library is blas\/libblas\.so\.3, which was set before: it stays\. .* --auto libblas\.so\.3-x86_64-linux-gnu$/,
  );
});
