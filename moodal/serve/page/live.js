// Live: what microphone and camera give, and the answers as they come.

import { clock } from "./appearance.js";
import { capture, openDevices, pictureFrame, soundFrame, RATE } from "./capture.js";
import { element, fill, keep } from "./dom.js";
import { text } from "./texts.js";
import { showRecording } from "./view.js";

const MOST_WAITING = 4 << 20; // bytes that wait to be sent before pictures are left out
const DRAWN = 400; // ms between drawings

/** Return the panel that asks for consent; `start(camera)` is called once it is given. */
export function consent(start) {
  const agreed = element("input", { type: "checkbox", id: "agreed" });
  const camera = element("input", { type: "checkbox", id: "with-camera", checked: true });
  const go = element("button", { type: "button", id: "record", disabled: true, onclick: () => start(camera.checked) }, text("live.start"));
  agreed.addEventListener("change", () => {
    go.disabled = !agreed.checked;
  });
  const possible = globalThis.isSecureContext && navigator.mediaDevices;
  return element(
    "section",
    { class: "panel consent", "aria-label": text("live") },
    element("h2", {}, text("live")),
    possible
      ? [
          element("p", {}, text("live.consent")),
          element("label", { class: "check" }, agreed, text("live.agreed")),
          element("label", { class: "check" }, camera, text("live.camera")),
          element("p", { class: "row" }, go),
        ]
      : element("p", {}, text("live.insecure")),
  );
}

/** Return the lowest and highest of each stretch of a waveform, at most 2000 of them, in 1/127. */
function waveOf(peaks) {
  const stretch = Math.ceil(peaks.length / 2000) || 1;
  const pairs = [];
  for (let i = 0; i < peaks.length; i += stretch) {
    const peak = Math.round(127 * Math.min(1, Math.max(...peaks.slice(i, i + stretch))));
    pairs.push(-peak, peak);
  }
  return pairs;
}

/** Show a live recording in an element.
 *
 * `analyse(file)` sends what was recorded as a file. Returns what closes it; its `unsaved()` tells
 * whether a recording would be lost.
 */
export async function showLive(room, camera, question, analyse) {
  const told = element("div", { role: "status", class: "told" });
  const preview = element("video", { class: "preview", muted: true, autoplay: true, playsinline: true, "aria-label": text("live.preview"), hidden: !camera });
  const now = element("output", { class: "now" });
  const stop = element("button", { type: "button", class: "primary", id: "stop", disabled: true, onclick: () => end() }, text("live.stop"));
  const place = element("div", {});
  const after = element("p", { class: "row after" });
  fill(
    room,
    element("div", { class: "panel live-head" }, element("span", { class: "red", "aria-hidden": "true" }), now, stop, preview),
    told,
    place,
  );
  const head = room.firstChild;
  const state = { finals: [], provisional: [], wave: [], view: null, recorded: null, ended: false, at: 0, closed: false, saved: false };
  let stream = null;
  let capturing = null;
  let socket = null;

  /** Stop the microphone and the camera, and return what was recorded. */
  async function release() {
    try {
      state.recorded ??= (await capturing?.stop()) ?? null;
    } finally {
      stream?.getTracks().forEach((track) => track.stop());
      preview.srcObject = null;
    }
  }

  const fail = (message) => fill(told, element("p", { class: "error" }, message));

  function recording() {
    const utterances = [...state.finals, ...state.provisional].sort((a, b) => a.start - b.start);
    const emotions = Object.keys(utterances[0]?.probabilities ?? {});
    return {
      path: text("live.name"),
      kind: "audio",
      live: true,
      duration: state.at,
      emotions,
      values: [],
      absent: {},
      notes: [],
      artefact: {},
      waveform: btoa(String.fromCharCode(...new Uint8Array(Int8Array.from(waveOf(state.wave)).buffer))),
      utterances,
    };
  }

  let timer = null;
  function drawSoon() {
    timer ??= setTimeout(() => {
      timer = null;
      if (!state.ended) draw(recording());
    }, DRAWN);
  }

  function draw(document_) {
    if (state.closed) return;
    if (!state.view) state.view = showRecording(place, document_, { media: null, live: true });
    else state.view.update(document_);
    state.view.follow(document_.duration ?? 0);
  }

  function answered(message) {
    if (message.type === "error") return void broken(message.message);
    if (message.type === "timeline") return void finished(message.timeline);
    const provisional = message.type === "provisional";
    const answer = { ...message.answer, provisional };
    state.at = Math.max(state.at, message.at);
    if (provisional) state.provisional = [answer];
    else {
      state.finals.push(answer);
      state.provisional = state.provisional.filter((one) => one.start >= answer.end);
    }
    drawSoon();
  }

  async function finished(timeline) {
    state.ended = true;
    const found = timeline.recordings?.[0] ?? timeline;
    state.timeline = timeline;
    await release();
    state.view?.close();
    state.view = null;
    const kind = camera ? "video" : "audio";
    fill(told, element("p", {}, text("live.finished")));
    head.hidden = true;
    offer(kind);
    state.view = showRecording(
      place,
      { ...found, path: text("live.name"), kind },
      { media: state.recorded ? { url: URL.createObjectURL(state.recorded) } : null, tools: [after] },
    );
    socket?.close();
  }

  function offer(kind) {
    const ending = /mp4/.test(state.recorded?.type ?? "") ? "mp4" : "webm";
    const name = `${text("live.file")}.${ending}`;
    const file = new File([state.recorded], name, { type: state.recorded.type || `${kind}/webm` });
    const save = () => {
      state.saved = true;
      const link = element("a", { href: URL.createObjectURL(file), download: name });
      link.click();
    };
    const answers = () => keep(JSON.stringify(state.timeline, null, 1), `${text("live.file")}.json`, "application/json");
    fill(
      after,
      element("button", { type: "button", id: "analyse", onclick: () => analyse(file) }, text("live.analyse")),
      element("button", { type: "button", onclick: save }, text("live.save")),
      element("button", { type: "button", id: "save-answers", onclick: answers }, text("live.answers")),
    );
  }

  async function broken(message) {
    if (state.ended) return;
    state.ended = true;
    stop.disabled = true;
    fail(message);
    await release();
    head.hidden = true;
    if (!state.recorded?.size) return;
    offer(camera ? "video" : "audio");
    told.append(after);
  }

  async function end() {
    stop.disabled = true;
    fill(told, element("p", {}, text("live.ending")));
    await release();
    preview.hidden = true;
    room.querySelector(".red").hidden = true;
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ end: true }));
  }

  try {
    stream = await openDevices(camera);
  } catch (error) {
    fail(text(error.name === "NotAllowedError" ? "live.refused" : "live.missing"));
    return () => {};
  }
  preview.srcObject = stream;
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/stream`;
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", (event) => answered(JSON.parse(event.data)));
  socket.addEventListener("close", () => broken(text("live.cut")));
  socket.addEventListener("open", () => begin().catch(() => broken(text("live.missing"))));

  async function begin() {
    socket.send(JSON.stringify({ sound: "pcm16", rate: RATE, pictures: camera, options: question }));
    capturing = await capture(stream, {
      preview,
      hear(samples) {
        if (socket.readyState === WebSocket.OPEN) socket.send(soundFrame(samples));
        const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
        state.wave.push(peak);
        state.at = Math.max(state.at, capturing?.seconds() ?? 0);
        now.textContent = clock(state.at, true);
        drawSoon();
      },
      async see(picture, second) {
        if (socket.bufferedAmount > MOST_WAITING) return;
        const frame = await pictureFrame(picture, second);
        if (socket.readyState === WebSocket.OPEN && !stop.disabled) socket.send(frame);
      },
    });
    // the page may have been left, or the server may have refused, in the meantime
    if (state.ended) await release();
    else stop.disabled = false;
  }

  const ask = (event) => close.unsaved() && event.preventDefault(); // the browser's own question
  globalThis.addEventListener("beforeunload", ask);
  const close = () => {
    globalThis.removeEventListener("beforeunload", ask);
    state.closed = true;
    state.ended = true;
    socket.close();
    release();
    state.view?.close();
  };
  close.unsaved = () => capturing !== null && !state.saved;
  return close;
}
