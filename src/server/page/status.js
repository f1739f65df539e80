/** The worker's state, live. */
import { follow, status } from "./api.js";
import { element } from "./dom.js";
import { withWords, words } from "./words.js";

const RETRY_MS = 1_000;
let last;
/** What is shown of it. */
let part = (said) => said;
let untrained = () => words().untrained;
let isThere = false;
const box = document.querySelector("#status");

/** What the server said last; undefined before it said anything. */
export function lastStatus() {
  return last;
}

/** Shows the worker of the classifier, or another one. @param pick that of a status. @param sentence that its network is untrained. */
export function showWorker(pick, sentence) {
  part = pick;
  untrained = sentence;
  render();
}

/** @throws ApiError `UNAUTHORIZED` where the token is wrong. */
export async function watchStatus() {
  tell(await status());
  withWords(render);
  void forever();
}

async function forever() {
  for (;;) {
    try {
      await follow(tell);
    } catch {
      // the next try shows whether it is back
    }
    isThere = false;
    render();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function tell(said) {
  last = said;
  isThere = true;
  render();
}

function render() {
  const shown = last === undefined ? undefined : part(last);
  if (shown?.worker === undefined) return;
  const { ready, worker, network, calls } = shown;
  const silent = !ready && (worker.phase === "ready" || worker.phase === "busy");
  const phase = !isThere ? "unreachable" : last.draining ? "draining" : silent ? "silent" : worker.phase;
  box.hidden = false;
  box.dataset.mood = isThere && ready ? (worker.phase === "busy" ? "busy" : "good") : "bad";
  document.querySelector("#phase").textContent = words().phases[phase] ?? phase;
  document.querySelector("#untrained").hidden = network.trained !== false;
  document.querySelector("#untrained").textContent = untrained();
  const facts = {
    ...factsOf(network),
    [words().facts.starts]: worker.starts,
    [words().facts.queue]: `${worker.waiting}, ${worker.inFlight}`,
    [words().facts.calls]: `${calls.succeeded}, ${calls.failed}`,
  };
  document
    .querySelector("#facts")
    .replaceChildren(
      ...Object.entries(facts).flatMap(([name, value]) => [
        element("dt", {}, name),
        element("dd", {}, String(value)),
      ]),
    );
}

function factsOf({ model, weights, sha256, device, threads, versions, ...network }) {
  const { facts, text, threads: threadsOf } = words();
  return {
    [facts.network]: model ?? "—",
    ...(network.context !== undefined && {
      [text.facts.shape]: `${network.layers} × ${network.heads}`,
      [text.facts.context]: text.contextOf(network.context),
    }),
    [facts.weights]: weights ?? "—",
    [facts.sha256]: sha256 === undefined ? "—" : `${sha256.slice(0, 16)}…`,
    [facts.device]: threads === undefined ? (device ?? "—") : threadsOf(device ?? "—", threads),
    [facts.torch]: versions.torch ?? "—",
  };
}
