// Why: what the model says of the chosen utterance, and the share of each modality in it.

import { DIMENSIONS, percent, signed, times } from "./appearance.js";
import { element, fill, styled } from "./dom.js";
import { spoken } from "./lanes.js";
import { text } from "./texts.js";

const HOW = ["learned", "adapted", "guess", "absent"];

/** Return the panel of the chosen utterance; `correction(utterance)` may return a form for it. */
export function details(model, actions) {
  const body = element("div", { class: "details-body" });
  const panel = element(
    "section",
    { class: "panel details", "aria-label": text("details"), "aria-live": "polite" },
    body,
  );
  let emotion = null;
  let current = null;

  function draw() {
    if (!current) {
      fill(body, element("h2", {}, text("details")), element("p", { class: "quiet" }, text("details.none")));
      return;
    }
    const asked = emotion ?? current.shown;
    const pick = (chosen) => {
      emotion = chosen;
      draw();
      body.querySelector(`[data-emotion="${CSS.escape(chosen)}"]`)?.focus();
    };
    fill(
      body,
      heading(model, current, actions),
      current.source.text ? element("blockquote", {}, current.source.text) : null,
      actions.correction?.(current) ?? null,
      model.emotions.length ? probabilities(model, current, asked, pick) : valueList(model, current),
      asked ? shares(model, current, asked) : null,
      remarksOf(model, current),
      measures(model, current),
    );
  }

  draw();
  return {
    element: panel,
    show(utterance) {
      if (utterance !== current) emotion = null;
      current = utterance;
      draw();
    },
  };
}

function heading(model, utterance, actions) {
  const who = model.persons.length ? utterance.who : utterance.source.speaker;
  const place = model.timed ? times(utterance.from, utterance.to, model.short) : "";
  const parts = [text("utterance", { number: utterance.number }), place, who].filter(Boolean);
  const play = model.timed && model.playable
    ? element("button", { type: "button", class: "small", onclick: () => actions.play(utterance) }, text("details.play"))
    : null;
  return element(
    "header",
    {},
    element("h2", {}, spoken(utterance)),
    element("p", { class: "quiet" }, parts.join(" · "), " ", play),
  );
}

function probabilities(model, utterance, asked, pick) {
  const rows = model.emotions.map((emotion) => {
    const probability = utterance.source.probabilities[emotion] ?? 0;
    const bar = styled(element("i", { class: "bar" }), {
      width: `${probability < 0.005 ? 0 : 100 * probability}%`,
      background: model.colours.get(emotion),
    });
    return element(
      "li",
      {},
      element(
        "button",
        {
          type: "button",
          class: "probability",
          "data-emotion": emotion,
          "aria-pressed": emotion === asked ? "true" : "false",
          onclick: () => pick(emotion),
        },
        element("span", { class: "name" }, emotion),
        element("span", { class: "bar-ground" }, bar),
        element("span", { class: "figure" }, percent(probability)),
      ),
    );
  });
  return element(
    "div",
    {},
    element("h3", {}, text("probabilities")),
    element("ul", { class: "probabilities", "aria-label": text("probabilities") }, rows),
  );
}

function valueList(model, utterance) {
  return element(
    "dl",
    { class: "measures" },
    model.values.map((value) => [
      element("dt", {}, value.name),
      element("dd", {}, text("value.range", { number: utterance.source.values[value.name].toFixed(2), low: value.low, high: value.high })),
    ]),
  );
}

function shares(model, utterance, emotion) {
  const { source } = utterance;
  const known = source.streams.map((stream) => ({
    stream,
    share: source.shares[stream]?.[emotion],
    how: source.sources[emotion]?.[stream] ?? "learned",
  }));
  known.sort((a, b) => Math.abs(b.share ?? 0) - Math.abs(a.share ?? 0));
  const bias = source.bias[emotion] ?? 0;
  const largest = Math.max(1, ...known.map((one) => Math.abs(one.share ?? 0)), Math.abs(bias));
  const rows = known.map(({ stream, share, how }) => shareRow(model, source, emotion, { stream, share, how, largest }));
  if (Math.abs(bias) >= 0.05) rows.push(barRow(text("bias"), bias, "var(--quiet)", largest, text("bias.about")));
  const missing = Object.entries(source.absent).map(([stream, why]) =>
    element("li", { class: "share" }, element("span", { class: "name" }, model.stream(stream).label), element("span", { class: "note" }, text("share.without", { why }))),
  );
  return element(
    "div",
    {},
    element("h3", {}, text("shares", { emotion })),
    element("ul", { class: "shares" }, rows, missing),
    element("p", { class: "quiet" }, text("shares.about")),
  );
}

function shareRow(model, source, emotion, { stream, share, how, largest }) {
  const { label, colour } = model.stream(stream);
  const alone = source.alone?.[stream]?.[emotion];
  const notes = [HOW.includes(how) ? text(`source.${how}`) : how];
  if (alone !== undefined && how !== "absent") notes.push(text("share.alone", { percent: percent(alone) }));
  if (share === undefined || how === "absent") {
    return element("li", { class: "share" }, element("span", { class: "name" }, label), element("span", { class: "note" }, text("source.absent")));
  }
  return barRow(label, share, colour, largest, notes.join("; "));
}

function barRow(label, share, colour, largest, note) {
  const bar = styled(element("i", { class: "bar" }), {
    background: colour,
    width: `${(50 * Math.abs(share)) / largest}%`,
    left: share < 0 ? `${50 - (50 * Math.abs(share)) / largest}%` : "50%",
  });
  return element(
    "li",
    { class: "share" },
    element("span", { class: "name" }, label),
    element("span", { class: "bar-ground middle" }, bar),
    element("span", { class: "figure" }, signed(share)),
    element("span", { class: "note" }, note),
  );
}

function measures(model, utterance) {
  const { source, headline } = utterance;
  const parts = [];
  if (headline) {
    for (const name of DIMENSIONS) parts.push([name, signed(headline[name], 2)]);
    parts.push([text("dimensions.known"), text(`known.${headline.known}`)]);
  }
  for (const [stream, number] of Object.entries(source.intensity ?? {})) {
    parts.push([text("intensity", { stream: model.stream(stream).label }), number.toFixed(2)]);
  }
  if (source.language) {
    parts.push([text("language"), source.untrained?.length ? text("language.untrained", { language: source.language }) : source.language]);
  }
  for (const [stream, all] of Object.entries(source.quality)) {
    const shown = Object.entries(all).map(([name, number]) => `${name} ${number === null ? "–" : Number(number.toPrecision(3))}`);
    if (shown.length) parts.push([text("quality", { stream: model.stream(stream).label }), shown.join(", ")]);
  }
  if (!parts.length) return null;
  return element("dl", { class: "measures" }, parts.map(([name, content]) => [element("dt", {}, name), element("dd", {}, content)]));
}

function remarksOf(model, utterance) {
  if (!utterance.source.flags.length) return null;
  return element(
    "div",
    { class: "warning" },
    element("h3", {}, text("flags")),
    element("ul", {}, utterance.source.flags.map((flag) => element("li", {}, flag))),
  );
}
