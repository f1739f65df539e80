import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { cpuQuota, usableCpus } from "../../src/python/quota.ts";
import cases from "../fixtures/quota.json" with { type: "json" };

/** A folder with these files, as `/` of some machine. */
async function rootOf(files: Readonly<Record<string, string | undefined>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "isotorch-quota-"));
  for (const [name, text = ""] of Object.entries(files)) {
    const file = join(root, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return root;
}

test.each(cases)("$name", async ({ files, quota }) => {
  expect(cpuQuota(await rootOf(files))).toBe(quota ?? undefined);
});

test("CPUs are counted up to the quota, and there is always one", async () => {
  const root = async (quota: string): Promise<string> =>
    rootOf({
      ...cases.find(({ name }) => name.startsWith("version 2"))?.files,
      "sys/fs/cgroup/cpu.max": quota,
    });
  expect(usableCpus(8, await root("250000 100000\n"))).toBe(2);
  expect(usableCpus(8, await root("50000 100000\n"))).toBe(1);
  expect(usableCpus(8, await root("max 100000\n"))).toBe(8);
  expect(usableCpus(2, await root("800000 100000\n"))).toBe(2);
});
