/** The generator for the tests of applications: all of it is real but for the network. */
import { expect, test } from "vitest";
import { IsotorchError } from "../../src/index.ts";
import { createFakeGenerator } from "../../src/testing.ts";
import { codeOf } from "../failure.ts";

const TEXT = " was found in a field";

test("its text comes token by token, and is that of the function", async () => {
  await using generator = await createFakeGenerator((prompt, { seed }) => ` ${prompt} ${seed}`);
  const { text, ids, tokens, seed, finishReason } = await generator.generate("The dog");
  expect(text).toBe(` The dog ${seed}`);
  expect(tokens.map((token) => token.text).join("")).toBe(text);
  expect(ids).toEqual(generator.tokenizer.encode(text));
  expect(finishReason).toBe("length");
  expect(generator.info()).toMatchObject({ device: "fake", reference: "none: the texts are made up" });
  expect(generator.stats()).toMatchObject({ submitted: 1, succeeded: 1, failed: 0 });
});

test("it hears maxTokens, stop texts, signals and deadlines, and refuses what the real one refuses", async () => {
  await using generator = await createFakeGenerator(() => TEXT, { latencyMs: 5 });
  expect((await generator.generate("x", { maxTokens: 2 })).text).toBe(" was found");
  expect(await generator.generate("x", { stop: " in" })).toMatchObject({
    text: " was found",
    finishReason: "stop",
  });
  expect(await codeOf(generator.generate("x", { signal: AbortSignal.abort() }))).toBe("ABORTED");
  expect(await codeOf((async () => generator.generate(""))())).toBe("INVALID_INPUT");
  expect(await codeOf((async () => generator.generate("x", { topP: 0 }))())).toBe("INVALID_OPTION");
  await using slow = await createFakeGenerator(() => TEXT, { latencyMs: 60_000 });
  expect(await codeOf(slow.generate("x", { timeoutMs: 20 }))).toBe("DEADLINE_EXCEEDED");
});

test("failures that are asked for are its answers", async () => {
  await using generator = await createFakeGenerator(() => TEXT, {
    failWith: (prompt) => (prompt === "bad" ? new IsotorchError("WORKER_DIED", "Mine.") : undefined),
  });
  expect(await codeOf(generator.generate("bad"))).toBe("WORKER_DIED");
  expect((await generator.generate("good")).text).toBe(TEXT);
  await using mute = await createFakeGenerator((() => 7) as never);
  expect(await codeOf(mute.generate("x"))).toBe("INVALID_INPUT");
});

test("phases are told, and after the close there is nothing more", async () => {
  const generator = await createFakeGenerator(() => TEXT);
  const phases: string[] = [];
  generator.on("state", (phase) => phases.push(phase));
  await generator.generate("x");
  await generator.close();
  expect(phases).toEqual(["busy", "ready", "stopped"]);
  expect(await codeOf(generator.generate("x"))).toBe("CLOSED");
});

test("there is something to look at", async () => {
  await using generator = await createFakeGenerator(() => TEXT);
  const { attention, hidden, tokens } = await generator.inspect("The dog", {
    include: { attention: true, hidden: true },
  });
  expect(tokens).toEqual(["The", " dog"]);
  expect(attention?.shape).toEqual([2, 2, 2, 2]);
  expect([...(attention?.data.subarray(0, 4) ?? [])]).toEqual([1, 0, 0.5, 0.5]);
  expect(hidden?.shape).toEqual([2, 2, 4]);
});
