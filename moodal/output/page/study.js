// A study: means of conditions over participants, and paired contrasts, with their intervals.

import { signed } from "./appearance.js";
import { element, styled } from "./dom.js";
import { text } from "./texts.js";

/** Return the panel of a study: what `moodal.evaluation.study` computed, as tables with marks. */
export function showStudy(study) {
  const counts = ["participants", "recordings", "conditions", "missing"].map((name) =>
    text(`study.count.${name}`, { count: study.counts[name] ?? 0 }),
  );
  const missing = study.missing.map((one) =>
    [one.recording, one.participant, one.condition, one.reason].filter(Boolean).join(", "),
  );
  return element(
    "section",
    { class: "panel study", "aria-label": text("study") },
    element("h2", {}, text("study")),
    element("p", { class: "quiet" }, text("study.about")),
    element("p", {}, counts.join(" · ")),
    (study.notes ?? []).length
      ? element("div", { class: "warning" }, element("ul", {}, study.notes.map((note) => element("li", {}, note))))
      : null,
    element("h3", {}, text("study.conditions")),
    conditionTable(study),
    study.contrasts.length ? [element("h3", {}, text("study.contrasts")), contrastTable(study)] : null,
    element("h3", {}, text("study.missing")),
    missing.length
      ? element("ul", { class: "study-missing" }, missing.map((one) => element("li", {}, one)))
      : element("p", {}, text("study.missing.none")),
  );
}

function conditionTable(study) {
  const heads = ["study.measure", "study.condition", "study.participants", "study.mean", "study.interval"];
  const rows = study.conditions.map((row) => ({ ...row, number: row.mean, cells: [row.condition, row.participants] }));
  return studyTable(study, heads, rows, (number) => number.toFixed(3), false);
}

function contrastTable(study) {
  const heads = ["study.measure", "study.contrast", "study.participants", "study.difference", "study.interval"];
  const rows = study.contrasts.map((row) => {
    const groups = row.paired === false ? ` (${text("study.groups")})` : "";
    const name = `${row.second} − ${row.first}${groups}`;
    return { ...row, number: row.difference, cells: [name, row.participants] };
  });
  return studyTable(study, heads, rows, (number) => signed(number, 3), true);
}

/** Return a table with the rows of each measure together; measures of one kind share a scale. */
function studyTable(study, heads, rows, format, zero) {
  const shown = (number) => (Number.isFinite(number) ? format(number) : "–");
  const measured = study.measures.map((measure) => ({
    measure,
    own: rows.filter((row) => row.measure === measure.name),
  }));
  const ends = scales(measured, zero);
  const body = measured.flatMap(({ measure, own }) =>
    own.map((row, i) =>
      element(
        "tr",
        { class: i ? "" : "group" },
        i ? null : element("th", { scope: "rowgroup", rowspan: own.length }, measure.label ?? measure.name),
        row.cells.map((content) => element("td", {}, String(content))),
        element("td", { class: "figure" }, shown(row.number)),
        element("td", { class: "figure" }, Number.isFinite(row.low) ? `${shown(row.low)} … ${shown(row.high)}` : "–"),
        element("td", { class: "forest" }, forest(row.number, row.low, row.high, ends.get(measure.kind))),
      ),
    ),
  );
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": text(heads[3]) },
    element(
      "table",
      { class: "study-table" },
      element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, text(head))), element("td", {}))),
      element("tbody", {}, body),
    ),
  );
}

/** Return kind of measure -> the ends of the scale that its rows share, with 0 if asked. */
function scales(measured, zero) {
  const ends = new Map();
  for (const { measure, own } of measured) {
    const numbers = own.flatMap((row) => [row.low, row.high, row.number]).filter(Number.isFinite);
    const [low, high] = ends.get(measure.kind) ?? (zero || measure.low === 0 ? [0, 0] : [Infinity, -Infinity]);
    ends.set(measure.kind, [Math.min(low, ...numbers), Math.max(high, ...numbers)]);
  }
  return ends;
}

function forest(number, low, high, [from, to]) {
  const width = to - from || 1;
  const place = (value) => `${5 + (90 * (value - from)) / width}%`;
  if (!Number.isFinite(number)) return null;
  const parts = [styled(element("i", { class: "forest-mean" }), { left: place(number) })];
  if (Number.isFinite(low) && Number.isFinite(high)) {
    parts.unshift(styled(element("i", { class: "forest-line" }), { left: place(low), width: `${(90 * (high - low)) / width}%` }));
  }
  if (from <= 0 && to >= 0) parts.unshift(styled(element("i", { class: "forest-zero" }), { left: place(0) }));
  return element("span", { class: "forest-room", "aria-hidden": "true" }, parts);
}
