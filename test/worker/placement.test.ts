import { expect, test } from "vitest";
import { placementsOf } from "../../src/worker/placement.ts";

const devices = (...given: Parameters<typeof placementsOf>): string[] =>
  placementsOf(...given).map(({ device }) => device);

test("one worker keeps PyTorch's own choice of threads", () => {
  expect(placementsOf({ device: "auto", threads: 0 }, 8)).toEqual([{ device: "auto", threads: 0 }]);
});

test("workers on one CPU divide its cores, but never down to the one thread that is ten times slower", () => {
  expect(placementsOf({ device: "cpu", workers: 4, threads: 0 }, 16).map(({ threads }) => threads)).toEqual([
    4, 4, 4, 4,
  ]);
  expect(placementsOf({ device: "cpu", workers: 2, threads: 0 }, 2).map(({ threads }) => threads)).toEqual([
    2, 2,
  ]);
  expect(placementsOf({ device: "cpu", workers: 2, threads: 1 }, 8).map(({ threads }) => threads)).toEqual([
    1, 1,
  ]);
});

test("a list has a worker per entry, and more workers go round it", () => {
  expect(devices({ device: ["cuda:0", "cuda:2"], threads: 0 }, 8)).toEqual(["cuda:0", "cuda:2"]);
  expect(devices({ device: ["cuda:0", "cpu"], workers: 4, threads: 0 }, 8)).toEqual([
    "cuda:0",
    "cpu",
    "cuda:0",
    "cpu",
  ]);
});

test("several workers on cuda take one GPU each, and so do those on auto where it found one", () => {
  expect(devices({ device: "cuda", workers: 3, threads: 0 }, 8)).toEqual(["cuda:0", "cuda:1", "cuda:2"]);
  expect(devices({ device: "cuda", threads: 0 }, 8)).toEqual(["cuda"]);
  const auto = { device: "auto", workers: 2, threads: 0 };
  expect(devices(auto, 8)[0]).toBe("auto");
  expect(devices(auto, 8, "cuda:0")[1]).toBe("cuda:1");
  expect(devices(auto, 8, "cpu")[1]).toBe("cpu");
  expect(devices({ device: "cuda:1", workers: 2, threads: 0 }, 8)).toEqual(["cuda:1", "cuda:1"]);
});
