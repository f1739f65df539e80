/** Requests to the server. The token came behind the `#` of the address, which no browser sends anywhere. */
const STORED = "isotorch-token";

const given = /^#token=([\w.~-]+)$/.exec(location.hash)?.[1];
if (given !== undefined) {
  sessionStorage.setItem(STORED, given);
  history.replaceState(null, "", location.pathname + location.search); // neither history nor a shared screen keeps it
}

/** The network that the page's address asks for; the server's first where it names none. */
const asked = new URLSearchParams(location.search).get("model");

function at(path, query = {}) {
  const parameters = new URLSearchParams(asked === null ? query : { ...query, model: asked });
  return parameters.size === 0 ? path : `${path}?${parameters}`;
}

/** A failure as the server tells it. */
export class ApiError extends Error {
  constructor({ code, message, hint }) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

export function useToken(token) {
  sessionStorage.setItem(STORED, token.trim());
}

function headers(more = {}) {
  const token = sessionStorage.getItem(STORED);
  return { ...more, ...(token && { authorization: `Bearer ${token}` }) };
}

/** @throws ApiError for an answer that is a refusal, and where there is none. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: headers(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({
      code: "UNREACHABLE",
      message: "The server does not answer.",
      hint: "Is it still running?",
    });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new ApiError(
    body.error ?? { code: `HTTP ${response.status}`, message: response.statusText, hint: "" },
  );
}

const asBody = (file, signal) => ({
  method: "POST",
  body: file,
  signal,
  headers: { "content-type": file.type.startsWith("image/") ? file.type : "application/octet-stream" },
});

export async function classify(file, signal) {
  const response = await ask(at("/classify", { topK: "5", include: "timings,crop" }), asBody(file, signal));
  return response.json();
}

export async function compare(file, signal) {
  const response = await ask(at("/compare"), {
    ...asBody(file, signal),
    headers: { ...asBody(file).headers, "x-request-timeout-ms": "180000" },
  });
  return response.json();
}

export async function status() {
  return (await ask(at("/status"))).json();
}

/** Calls `tell` with every status that the server sends; resolves when the stream ends. */
export async function follow(tell) {
  const response = await ask(at("/events"));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (text + value).split("\n\n");
    text = events.pop();
    const last = events.at(-1);
    if (last !== undefined) tell(JSON.parse(last.slice("data: ".length)));
  }
}
