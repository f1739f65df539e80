// 300 pictures that another process copies into a watched folder: how many are heard of?
import { mkdirSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PYTHON, check, internal, scenarios, started, until } from "./harness.mjs";

const FOLDER = "C:\\inbox";
const COUNT = 300;
const COPY = `
for number in range(${COUNT}):
    with open(r'${FOLDER}\\a picture %03d.jpg' % number, 'wb') as file:
        file.write(b'x' * 1000)
`;
const { watchFolder } = await internal("cli/lists/watch.js");

/** @param busyMs for how long the main thread does nothing else, of `busyMs` + 20; as decoding on it would */
async function burst(busyMs) {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);
  const stop = new AbortController();
  const heard = [];
  const coming = watchFolder(FOLDER, stop.signal);
  const done = (async () => {
    for await (const path of coming) heard.push(path);
  })();
  const timer = busyMs > 0 ? setInterval(() => block(busyMs), 20) : undefined;
  await started(PYTHON, ["-c", COPY]).ended;
  await until(() => heard.length >= COUNT, 20_000);
  // One that comes twice comes now.
  await sleep(3_000);
  clearInterval(timer);
  stop.abort();
  await done;
  const different = new Set(heard).size;
  return check(
    heard.length === COUNT && different === COUNT,
    `${heard.length} heard, ${different} of ${COUNT}`,
  );
}

function block(ms) {
  for (const end = performance.now() + ms; performance.now() < end;);
}

await scenarios({
  "a burst of 300 files is heard whole": () => burst(0),
  "a burst of 300 files is heard whole while the main thread is busy": () => burst(150),
});
