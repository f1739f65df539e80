/** Requests about texts. */
import { ApiError, ask } from "../api.js";

const asJson = (body, signal) => ({
  method: "POST",
  body: JSON.stringify(body),
  signal,
  headers: { "content-type": "application/json" },
});

/** Calls `tell` with each choice of the stream; resolves when the text is complete. */
export async function complete(body, signal, tell) {
  const response = await ask("/v1/completions", asJson({ ...body, stream: true }, signal));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new ApiError({ code: "UNREACHABLE", message: "The answer broke off.", hint: "" });
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const said = event.slice("data: ".length);
      if (said === "[DONE]") return;
      const { error, choices } = JSON.parse(said);
      if (error !== undefined) throw new ApiError(error);
      tell(choices[0]);
    }
  }
}

export async function tokenize(body, signal) {
  return (await ask("/v1/tokenize", asJson(body, signal))).json();
}

export async function inspect(body, signal) {
  return (await ask("/v1/inspect", asJson(body, signal))).json();
}
