/** What each file of tests costs, for `npm run test:cost`: CPU seconds of its process, and of those that it started and has waited for. */
import { appendFileSync, readFileSync } from "node:fs";
import { afterAll, expect } from "vitest";

/** A tick of `/proc` is a hundredth of a second on every Linux that Node runs on. */
const TICKS = 100;

// Registered first, so that it runs last.
afterAll(() => {
  const text = readFileSync("/proc/self/stat", "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15).map(Number);
  const line = {
    file: expect.getState().testPath,
    own: (user + system) / TICKS,
    started: (childrenUser + childrenSystem) / TICKS,
  };
  appendFileSync(process.env["ISOTORCH_TEST_COST"] ?? "", `${JSON.stringify(line)}\n`);
});
