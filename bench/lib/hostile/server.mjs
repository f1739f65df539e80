// The server in a process of its own: `server.mjs WEIGHTS`, or `fake`. Says where it is, ends with its stdin.
import { once } from "node:events";
import { createClassifier } from "../../../dist/index.js";
import { createServer } from "../../../dist/server.js";
import { createFakeClassifier } from "../../../dist/testing.js";

const [, , weights = "untrained:0"] = process.argv;
const classifier =
  weights === "fake"
    ? await createFakeClassifier(() => [{ index: 0, label: "fake", score: 1 }], { latencyMs: 50 })
    : await createClassifier({ weights, device: "cpu" });
const server = await createServer({ classifier, port: 0 });
const { port, token } = server;
process.stdout.write(`${JSON.stringify({ port, token, worker: classifier.health().pid })}\n`);
process.stdin.resume();
await once(process.stdin, "end");
await server.close({ drainMs: 1_000 });
await classifier.close({ drainMs: 0 });
