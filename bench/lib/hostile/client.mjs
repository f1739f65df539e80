// Hostile clients in a process of their own: `client.mjs PORT TOKEN PER_SECOND SECONDS`. Says that it is ready, begins with a
// line on stdin, prints what became of each kind.
import { once } from "node:events";
import { kinds } from "./kinds.mjs";

const [, , port, token, perSecond, seconds] = process.argv;
const target = { port: Number(port), token };
const all = kinds();
const outcomes = {};
const open = new Set();
let at = 0;

function one() {
  const { name, send } = all[at++ % all.length];
  const sent = send(target).then((outcome) => {
    const counts = (outcomes[name] ??= {});
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    open.delete(sent);
  });
  open.add(sent);
}

process.stdout.write("ready\n");
await once(process.stdin, "data");
const timer = setInterval(one, 1_000 / Number(perSecond));
setTimeout(
  () => {
    clearInterval(timer);
    process.stdout.write(`${JSON.stringify({ sent: at, open: open.size, outcomes })}\n`, () =>
      process.exit(0),
    );
  },
  Number(seconds) * 1_000,
);
