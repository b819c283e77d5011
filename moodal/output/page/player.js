// The player: the browser's own copy of a recording, or its picture; without one, a clock alone.

import { element, fill } from "./dom.js";
import { text } from "./texts.js";

/** Return the player of a recording.
 *
 * `media` is {url} or null, and `missing` a sentence that says why there is none; `range` gets the
 * second that is played. Where there is no recording, or it cannot be played, the reader may choose
 * the file, which `chosen(file)` is told.
 */
export function player(model, media, range, { missing = text("player.none"), chosen = () => {} } = {}) {
  const stage = element("div", { class: "stage" });
  const host = element("div", { class: "player", role: "group", "aria-label": text("player") }, stage);
  const state = { element: null, until: null, url: null };

  function offer(message) {
    const input = element("input", {
      type: "file",
      accept: "audio/*,video/*,image/*",
      "aria-describedby": "no-media",
      onchange: () => {
        const [file] = input.files;
        if (!file) return;
        open(URL.createObjectURL(file), false, file.name);
        chosen(file);
      },
    });
    const label = element("label", { class: "choose" }, text("player.choose"), input);
    state.element = null;
    fill(stage, element("div", { class: "no-media" }, element("p", { id: "no-media" }, message), label));
    host.dispatchEvent(new CustomEvent("media"));
  }

  function open(url, linked, name = null) {
    if (state.url?.startsWith("blob:") && state.url !== url) URL.revokeObjectURL(state.url);
    state.url = url;
    const refuse = () => offer(text(linked ? "player.missing" : "player.refused", { name: name ?? model.name }));
    if (model.kind === "image") {
      const picture = element("img", { src: url, alt: text("player.picture", { name: model.name }) });
      picture.addEventListener("error", refuse);
      picture.addEventListener("load", () => host.dispatchEvent(new CustomEvent("media")));
      state.element = picture;
    } else {
      const tag = model.kind === "video" ? "video" : "audio";
      const playing = element(tag, { src: url, controls: true, preload: "auto", playsinline: true, "aria-label": model.name });
      playing.addEventListener("error", refuse);
      for (const event of ["timeupdate", "seeked"]) {
        playing.addEventListener(event, () => range.setNow(playing.currentTime));
      }
      playing.addEventListener("play", follow);
      playing.addEventListener("loadedmetadata", () => {
        if (playing.duration === Infinity) findEnd(playing);
        host.dispatchEvent(new CustomEvent("media"));
      });
      state.element = playing;
    }
    fill(stage, state.element);
    host.dispatchEvent(new CustomEvent("media"));
  }

  function follow() {
    const playing = state.element;
    if (!playing || playing.paused || playing.ended || !playing.isConnected) return;
    range.setNow(playing.currentTime);
    if (state.until !== null && playing.currentTime >= state.until) {
      playing.pause();
      state.until = null;
    }
    requestAnimationFrame(follow);
  }

  /** Let the browser find the end of a file that does not tell it, as those of recorders. */
  function findEnd(playing) {
    const begin = () => {
      if (!Number.isFinite(playing.duration)) return;
      playing.removeEventListener("durationchange", begin);
      playing.currentTime = 0;
    };
    playing.addEventListener("durationchange", begin);
    playing.currentTime = 1e7;
  }

  const plays = () => state.element !== null && "play" in state.element;

  /** Lead the reader, who wants to play, to the reason why nothing can be played. */
  function explain() {
    host.scrollIntoView({ block: "nearest" });
    stage.querySelector(".no-media input")?.focus({ preventScroll: true });
  }

  if (!model.playable) host.hidden = true;
  else if (media) open(media.url, !media.url.startsWith("blob:"));
  else offer(missing);

  return {
    element: host,
    stage,
    media: () => state.element,
    open: (url) => open(url, false),
    /** Play, or pause; without a recording, say why there is none. */
    toggle() {
      if (!plays()) return void explain();
      state.until = null;
      if (state.element.paused) state.element.play().catch(() => {});
      else state.element.pause();
    },
    seek(second) {
      state.until = null;
      if (plays()) state.element.currentTime = second;
      range.setNow(second);
    },
    /** Play from one second to another. */
    playSpan(from, to) {
      if (!plays()) return void explain();
      state.element.currentTime = from;
      state.until = to;
      state.element.play().catch(() => {});
    },
    stop() {
      if (plays()) state.element.pause();
      if (state.url?.startsWith("blob:")) URL.revokeObjectURL(state.url);
    },
  };
}
