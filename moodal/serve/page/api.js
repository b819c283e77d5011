// The server's interface, as far as the page uses it. Every error is one sentence.

import { inPageWords } from "./sentences.js";
import { text } from "./texts.js";

/** Return the answer to a request; an error has the server's sentence as its message. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Error(text("error.unreachable"));
  }
  if (!response.ok) throw new Error(await sentenceOf(response));
  return response;
}

/** Return the JSON answer to a request; `body` is sent as JSON. */
export async function askJson(path, { method = "GET", body } = {}) {
  const options = { method };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "content-type": "application/json" };
  }
  const response = await ask(path, options);
  return response.status === 204 ? null : response.json();
}

async function sentenceOf(response) {
  if (response.status === 401) return text("error.key");
  try {
    const { error } = await response.json();
    if (typeof error === "string") return inPageWords(error);
  } catch {
    // it was no JSON, as of a proxy
  }
  return text("error.status", { status: response.status });
}

/** Send a form as a job; `progress(share)` is told how much of it has gone, 0 to 1.
 *
 * `signal`, of an AbortController, stops it.
 */
export function sendJob(form, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/jobs");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request.response);
      else reject(new Error(inPageWords(request.response?.error ?? text("error.status", { status: request.status }))));
    });
    request.addEventListener("error", () => reject(new Error(text("error.unreachable"))));
    request.addEventListener("abort", () => reject(new Error(text("job.cancelled"))));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** Listen to a job's events: name -> function of its data. Returns what ends it. */
export function listenToJob(id, handlers) {
  const events = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
  for (const [name, handler] of Object.entries(handlers)) {
    events.addEventListener(name, (event) => {
      if (["done", "failed", "cancelled"].includes(name)) events.close();
      handler(event.data ? JSON.parse(event.data) : {});
    });
  }
  return () => events.close();
}
