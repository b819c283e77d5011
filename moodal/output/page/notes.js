// What a reader should know: the sentences of the terminal, and what an answer must not be used for.

import { element } from "./dom.js";
import { text } from "./texts.js";

const SUMMARY = /^[^:]{1,80}, (of |mean |most telling)|^Overall: /;

/** Return the panel of remarks on the whole recording. */
export function notes(model) {
  const summary = model.remarks.filter((remark) => SUMMARY.test(remark));
  const others = model.remarks.filter((remark) => !SUMMARY.test(remark));
  const list = (sentences) => element("ul", {}, sentences.map((sentence) => element("li", {}, sentence)));
  return element(
    "section",
    { class: "panel notes", "aria-label": text("notes") },
    summary.length ? [element("h2", {}, text("summary")), list(summary)] : null,
    others.length ? [element("h2", {}, text("notes")), list(others)] : null,
    limits(),
  );
}

/** Return what answers must not be used for. */
export function limits() {
  return element(
    "div",
    { class: "limits" },
    element("h2", {}, text("limits")),
    element("p", {}, text("limits.what")),
    element("p", {}, text("limits.uses")),
  );
}
