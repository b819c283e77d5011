// A question of one sentence, which is answered by one of two buttons or by Escape.

import { element } from "./dom.js";
import { text } from "./texts.js";

/** Ask; returns whether the answer was yes, whose button says `yes`. */
export function confirmed(sentence, yes) {
  return new Promise((resolve) => {
    const asked = element("p", { id: "asked" }, sentence);
    const no = element("button", { value: "no", autofocus: true }, text("ask.no"));
    const dialog = element(
      "dialog",
      { class: "asking", role: "alertdialog", "aria-labelledby": "asked" },
      element("form", { method: "dialog" }, asked, element("p", { class: "row" }, no, element("button", { value: "yes", class: "danger" }, yes))),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
