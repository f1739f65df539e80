/** The tab of texts: a beginning, what continues it, and what is to be seen of both. */
import { failure } from "../failure.js";
import { withWords, words } from "../words.js";
import { complete, tokenize } from "./api.js";
import { showAttention } from "./attention.js";
import { candidates } from "./candidates.js";
import { showMerges } from "./merges.js";
import { tokenLine, visible } from "./tokens.js";

const CANDIDATES = 5;
const OPTIONS = ["temperature", "top_k", "top_p", "max_tokens"];

const find = (id) => document.querySelector(`#${id}`);

let networks = () => [];
let state = { kind: "none" };
let answer = { tokens: [] };
let ender = new AbortController();

const line = tokenLine(find("typed"), {
  nameOf: ({ readable }, at) => words().text.place(at, visible(readable)),
  onChoose: showCandidates,
});
const lookAtWord = showMerges(find("word"), find("merges"), () => chosenNetwork()?.model);

/** The network that is chosen, as the status tells it. */
export function chosenNetwork() {
  const all = networks();
  return all.find(({ model }) => model === find("text-model").value) ?? all[0];
}

/** Shows the tab. @param told what the status says of the networks of texts, now and later. */
export function startTexts(told) {
  networks = told;
  const names = networks().map(({ model }) => model);
  find("text-model").replaceChildren(...names.map((name) => new Option(name, name)));
  find("text-model").parentElement.hidden = names.length < 2;
  find("prompt").value ||= words().text.example;
  fit();
  void lookAtWord();
}

find("text-model").addEventListener("change", () => {
  fit();
  void lookAtWord();
});
find("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const seed = find("seed").value;
  const options = OPTIONS.map((name) => [name, Number(find(name).value)]);
  void write({
    model: chosenNetwork().model,
    prompt: find("prompt").value,
    ...Object.fromEntries(options),
    ...(seed !== "" && { seed: Number(seed) }),
  });
});
find("prompt").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  find("write").requestSubmit();
});
find("stop").addEventListener("click", () => ender.abort());
find("again").addEventListener("click", () => {
  const { asked, seed, tokens } = answer;
  void write({ ...asked, seed }, tokens);
});
const forgetAttention = showAttention(() => {
  const { model, network, inspect } = networks().find((one) => one.model === answer.asked.model);
  return { tokens: answer.tokens, name: model, network, limits: inspect };
});
withWords(() => {
  line.rename();
  render();
  if (line.chosen() !== -1) showCandidates(line.chosen());
});

/** No more new tokens than the network looks at. */
function fit() {
  const { context } = chosenNetwork().network;
  const field = find("max_tokens");
  field.max = context - 1;
  if (Number(field.value) >= context) field.value = Math.ceil(context / 2);
}

/** @param before the tokens that this seed gave already. */
async function write(asked, before) {
  ender.abort();
  ender = new AbortController();
  const { signal } = ender;
  answer = { asked, tokens: [], before };
  line.set([]);
  forgetAttention();
  find("candidates").replaceChildren();
  set({ kind: "thinking" });
  find("stop").focus();
  try {
    const { tokens } = await tokenize({ text: asked.prompt, model: asked.model }, signal);
    for (const token of tokens) add({ ...token, isGiven: true });
    await complete({ ...asked, logprobs: CANDIDATES }, signal, (choice) => take(choice));
    set({ kind: answer.reason === "stop" ? "ended" : "written" });
  } catch (error) {
    if (signal !== ender.signal) return; // another one was asked for
    set(signal.aborted ? { kind: "stopped" } : { kind: "failed", error });
  }
  const hadFocus = document.activeElement === document.body || document.activeElement === find("stop");
  if (hadFocus) find(answer.seed === undefined ? "go" : "again").focus();
}

function take({ logprobs, finish_reason: reason, seed }) {
  answer.seed = seed;
  if (reason !== null) answer.reason = reason;
  if (logprobs === null) return;
  const [id] = logprobs.token_ids;
  const [text] = logprobs.tokens;
  const [readable] = logprobs.readable;
  const [logprob] = logprobs.token_logprobs;
  add({ id, text, readable, logprob, candidates: logprobs.top_logprobs[0] });
  set({ kind: "writing" });
}

function add(token) {
  answer.tokens.push(token);
  line.push(token);
}

function set(changed) {
  state = changed;
  render();
}

function render() {
  const { kind, error } = state;
  const isBusy = kind === "thinking" || kind === "writing";
  find("answer").hidden = kind === "none";
  find("go").hidden = isBusy;
  find("stop").hidden = !isBusy;
  find("typed").classList.toggle("typing", isBusy);
  find("written").hidden = isBusy || answer.seed === undefined;
  find("attention").hidden = isBusy || answer.tokens.length === 0;
  find("seed-was").textContent = String(answer.seed ?? "");
  find("said").replaceChildren(...(kind === "failed" ? [failure(error, words().text.errors)] : [sentence()]));
}

function sentence() {
  const { kind } = state;
  if (kind === "none") return "";
  const { text } = words();
  if (kind === "thinking") return text.thinking;
  const written = answer.tokens.filter(({ isGiven }) => !isGiven);
  const said = text[kind](written.length);
  if (answer.before === undefined || kind === "writing") return said;
  const before = answer.before.filter(({ isGiven }) => !isGiven);
  const count = Math.min(before.length, written.length);
  const other = written.findIndex(({ id }, at) => at < count && before[at].id !== id);
  return `${said} ${other === -1 ? text.same(count) : text.differs(answer.tokens.length - written.length + other)}`;
}

function showCandidates(at) {
  const token = answer.tokens[at];
  if (token !== undefined) find("candidates").replaceChildren(...candidates(token, at));
}
