import { expect, test } from "vitest";
import { placementsOf, saysThreads } from "../../src/worker/machine/placement.ts";

const devices = (...given: Parameters<typeof placementsOf>): string[] =>
  placementsOf(...given).map(({ device }) => device);

test("one worker chooses its threads itself", () => {
  expect(placementsOf({ device: "auto", threads: 0 }, { cpus: 8 })).toEqual([{ device: "auto", threads: 0 }]);
});

test("workers on one CPU divide its cores, but never down to the one thread that is ten times slower", () => {
  expect(
    placementsOf({ device: "cpu", workers: 4, threads: 0 }, { cpus: 16 }).map(({ threads }) => threads),
  ).toEqual([4, 4, 4, 4]);
  expect(
    placementsOf({ device: "cpu", workers: 2, threads: 0 }, { cpus: 2 }).map(({ threads }) => threads),
  ).toEqual([2, 2]);
  expect(
    placementsOf({ device: "cpu", workers: 2, threads: 1 }, { cpus: 8 }).map(({ threads }) => threads),
  ).toEqual([1, 1]);
});

test("a list has a worker per entry, and more workers go round it", () => {
  expect(devices({ device: ["cuda:0", "cuda:2"], threads: 0 }, { cpus: 8 })).toEqual(["cuda:0", "cuda:2"]);
  expect(devices({ device: ["cuda:0", "cpu"], workers: 4, threads: 0 }, { cpus: 8 })).toEqual([
    "cuda:0",
    "cpu",
    "cuda:0",
    "cpu",
  ]);
});

test("several workers on cuda take one GPU each, and so do those on auto where it found one", () => {
  expect(devices({ device: "cuda", workers: 3, threads: 0 }, { cpus: 8 })).toEqual([
    "cuda:0",
    "cuda:1",
    "cuda:2",
  ]);
  expect(devices({ device: "cuda", threads: 0 }, { cpus: 8 })).toEqual(["cuda"]);
  const auto = { device: "auto", workers: 2, threads: 0 };
  expect(devices(auto, { cpus: 8 })[0]).toBe("auto");
  expect(devices(auto, { cpus: 8, chosen: "cuda:0" })[1]).toBe("cuda:1");
  expect(devices(auto, { cpus: 8, chosen: "cpu" })[1]).toBe("cpu");
  expect(devices({ device: "cuda:1", workers: 2, threads: 0 }, { cpus: 8 })).toEqual(["cuda:1", "cuda:1"]);
});

test("workers that share a CPU leave the threads to the environment where it says how many", () => {
  const threads = (...given: Parameters<typeof placementsOf>): number[] =>
    placementsOf(...given).map((placement) => placement.threads);
  expect(threads({ device: "cpu", workers: 2, threads: 0 }, { cpus: 8, said: true })).toEqual([0, 0]);
  expect(threads({ device: "cpu", workers: 2, threads: 3 }, { cpus: 8, said: true })).toEqual([3, 3]);
});

test.each([
  [{ OMP_NUM_THREADS: "1" }, true],
  [{ MKL_NUM_THREADS: "4" }, true],
  [{ OMP_NUM_THREADS: " 4,2" }, true],
  [{ OMP_NUM_THREADS: "0" }, false],
  [{ OMP_NUM_THREADS: "many" }, false],
  [{ OMP_NUM_THREADS: "-2" }, false],
  [{ OMP_NUM_THREADS: "" }, false],
  [{}, false],
])("whether %j says how many threads PyTorch takes: %j", (environment, said) => {
  expect(saysThreads(environment)).toBe(said);
});
