// Keys of the view: play, step, choose, zoom.

import { element } from "./dom.js";
import { text } from "./texts.js";

const TYPING = "input, textarea, select, [contenteditable]";
const OWN_KEYS = "video, audio, summary";

export const KEYS = [
  ["Space", "keys.play"],
  ["← →", "keys.step"],
  ["J K", "keys.next"],
  ["P", "keys.span"],
  ["+ − 0", "keys.zoom"],
  ["C", "keys.correct"],
];

/** Listen to the keys of a view; `actions` holds a function for each, `signal` ends it. */
export function listenToKeys(root, actions, signal) {
  const steps = {
    " ": actions.toggle,
    ArrowLeft: (event) => actions.step(event.shiftKey ? -0.2 : -2),
    ArrowRight: (event) => actions.step(event.shiftKey ? 0.2 : 2),
    j: () => actions.choose(1),
    k: () => actions.choose(-1),
    p: actions.span,
    "+": () => actions.zoom(0.5),
    "=": () => actions.zoom(0.5),
    "-": () => actions.zoom(2),
    0: actions.all,
    c: actions.correct,
  };
  root.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches(TYPING) || target.matches(OWN_KEYS)) return;
    // Space plays where a block of the timeline was clicked; Enter still chooses it
    if (key === " " && target.matches("button:not(.block), a, label")) return;
    const action = steps[key.length === 1 ? key.toLowerCase() : key];
    if (!action) return;
    event.preventDefault();
    action(event);
  }, { signal });
}

/** Return the list of keys, folded. */
export function keyHelp(correcting) {
  const rows = KEYS.filter(([, about]) => correcting || about !== "keys.correct").map(([keys, about]) => [
    element("dt", {}, keys.split(" ").map((key) => element("kbd", {}, key))),
    element("dd", {}, text(about)),
  ]);
  return element("details", { class: "key-help" }, element("summary", {}, text("keys")), element("dl", {}, rows));
}
