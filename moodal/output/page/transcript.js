// The utterances as a list: when, who, the words shaded by their share, and the answer.

import { inkOn, signed, times } from "./appearance.js";
import { element, styled } from "./dom.js";
import { spoken } from "./lanes.js";
import { text } from "./texts.js";

const STRONGEST = 0.5; // opacity of the word with the largest share

/** Return the list of utterances.
 *
 * `choose(index, second)` is called for a clicked one; `correct(index, what)`, where there are
 * corrections, for a clicked "label" or "words"; `drafted(utterance)` tells of one with a correction
 * that is not saved.
 */
export function transcript(model, choose, correct = null, drafted = () => false) {
  const largest = largestShare(model);
  const items = model.utterances.map((utterance) => item(model, utterance, largest, { choose, correct, drafted }));
  const list = element("ol", { class: "utterances" }, items);
  const legend = element("p", { class: "quiet" }, text(largest ? "words.legend" : "words.plain"));
  return {
    element: element(
      "section",
      { class: "panel transcript", "aria-label": text("words") },
      element("h2", {}, text("words")),
      legend,
      model.utterances.length ? list : element("p", {}, text(model.source.live ? "live.waiting" : "empty")),
    ),
    items,
  };
}

function largestShare(model) {
  let largest = 0;
  for (const { source, shown } of model.utterances) {
    for (const word of source.words) largest = Math.max(largest, Math.abs(word.shares[shown] ?? 0));
  }
  return largest;
}

function item(model, utterance, largest, { choose, correct, drafted }) {
  const { source } = utterance;
  const place = model.timed ? times(utterance.from, utterance.to, model.short) : "";
  const who = model.persons.length ? utterance.who : source.speaker ?? "";
  const colour = utterance.decided ? model.colours.get(utterance.shown) : null;
  const kind = `badge${colour ? "" : " unsure"}`;
  const badge = correct
    ? element(
        "button",
        {
          type: "button",
          class: kind,
          title: text("correct.click"),
          "aria-label": text("correct.about", { number: utterance.number, answer: spoken(utterance) }),
          onclick: () => correct(utterance.utterance, "label"),
        },
        spoken(utterance),
      )
    : element("span", { class: kind }, spoken(utterance));
  if (colour) styled(badge, { "--block": colour, "--block-ink": inkOn(colour) });
  const flags = source.flags.length
    ? element("span", { class: "flagged", title: source.flags.join(" ") }, text("flagged"))
    : null;
  const draft = correct && element("span", { class: "flagged draft", hidden: !drafted(utterance) }, text("draft"));
  return element(
    "li",
    { class: `utterance${utterance.provisional ? " provisional" : ""}`, "data-utterance": utterance.utterance },
    element(
      "button",
      {
        type: "button",
        class: "utterance-place",
        "aria-label": text("utterance.show", { number: utterance.number, place }),
        onclick: () => choose(utterance.utterance, utterance.from),
      },
      element("span", { class: "number" }, utterance.number),
      place ? element("span", { class: "when" }, place) : null,
    ),
    element(
      "div",
      correct
        ? { class: "said correctable", title: text("correct.click"), onclick: () => correct(utterance.utterance, "words") }
        : { class: "said" },
      who ? element("b", { class: "who" }, `${who}: `) : null,
      source.text ? words(model, utterance, largest) : element("i", { class: "quiet" }, text("words.none")),
    ),
    element("div", { class: "answer" }, badge, flags, draft, utterance.provisional ? element("span", { class: "flagged" }, text("provisional")) : null),
  );
}

/** Return the words of an utterance, each shaded by its share in the shown emotion. */
export function words(model, utterance, largest) {
  const { source, shown } = utterance;
  if (!source.words.length || !largest) return element("span", {}, source.text);
  const parts = source.words.flatMap((word) => {
    const share = word.shares[shown];
    if (share === undefined) return [word.text, " "];
    const title = text(share < 0 ? "word.against" : "word.for", { share: signed(share, 2), emotion: shown });
    const node = element("span", { class: share < 0 ? "word against" : "word", title }, word.text);
    const strength = Math.min(1, Math.abs(share) / largest) * STRONGEST;
    if (share > 0) styled(node, { "--shade": model.colours.get(shown), "--strength": `${Math.round(strength * 100)}%` });
    else if (strength > 0.05) node.classList.add("strong");
    return [node, " "];
  });
  return element("span", {}, parts);
}
