/** The worker's state, live. */
import { follow, status } from "./api.js";
import { element } from "./dom.js";
import { withWords, words } from "./words.js";

const RETRY_MS = 1_000;
let last;
let isThere = false;
const box = document.querySelector("#status");

/** What the server said last; undefined before it said anything. */
export function lastStatus() {
  return last;
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
  if (last === undefined) return;
  const { ready, draining, worker, network, calls } = last;
  const silent = !ready && (worker.phase === "ready" || worker.phase === "busy");
  const phase = !isThere ? "unreachable" : draining ? "draining" : silent ? "silent" : worker.phase;
  box.hidden = false;
  box.dataset.mood = isThere && ready ? (worker.phase === "busy" ? "busy" : "good") : "bad";
  document.querySelector("#phase").textContent = words().phases[phase] ?? phase;
  document.querySelector("#untrained").hidden = network.trained !== false;
  const facts = {
    network: network.model ?? "—",
    weights: network.weights ?? "—",
    sha256: network.sha256 === undefined ? "—" : `${network.sha256.slice(0, 16)}…`,
    device:
      network.threads === undefined
        ? (network.device ?? "—")
        : words().threads(network.device ?? "—", network.threads),
    torch: network.versions.torch ?? "—",
    starts: worker.starts,
    queue: `${worker.waiting}, ${worker.inFlight}`,
    calls: `${calls.succeeded}, ${calls.failed}`,
  };
  document
    .querySelector("#facts")
    .replaceChildren(
      ...Object.entries(facts).flatMap(([name, value]) => [
        element("dt", {}, words().facts[name]),
        element("dd", {}, String(value)),
      ]),
    );
}
