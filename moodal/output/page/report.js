// A report: one page with everything in it, for one or several recordings, and for a study.

import { element, fill } from "./dom.js";
import { showStudy } from "./study.js";
import { counted, setTexts, text } from "./texts.js";
import { showRecording } from "./view.js";

/** Read a block of JSON of the page; null where there is none. */
function jsonBlock(id) {
  const holder = document.getElementById(id);
  return holder ? JSON.parse(holder.textContent) : null;
}

/** Return where the recording of a number is: a link, a part of the page, or nowhere. */
function mediaOf(links, number) {
  const inside = document.getElementById(`media-${number}`);
  if (inside) {
    const bytes = Uint8Array.from(atob(inside.textContent), (c) => c.charCodeAt(0));
    return { url: URL.createObjectURL(new Blob([bytes], { type: inside.dataset.type })) };
  }
  return links[number] ? { url: links[number] } : null;
}

function showReport(room) {
  setTexts(jsonBlock("texts"));
  const { recordings } = jsonBlock("timelines");
  const links = jsonBlock("links");
  const study = jsonBlock("study");
  const about = jsonBlock("about");
  const place = element("div", {});
  let view = null;

  function show(number) {
    view?.close();
    view = showRecording(place, recordings[number], { media: mediaOf(links, number) });
  }

  const names = recordings.map((recording, i) => element("option", { value: i }, recording.path || text("report.recording")));
  const choice = element(
    "select",
    { onchange: (event) => show(Number(event.target.value)) },
    names,
  );
  const several = recordings.length > 1;
  fill(
    room,
    several || study
      ? element(
          "header",
          { class: "report-head" },
          element("h1", {}, text("report.title")),
          element("p", { class: "quiet" }, counted("recordings", recordings.length)),
        )
      : null,
    study ? showStudy(study) : null,
    several ? element("p", { class: "report-head" }, element("label", {}, text("report.recording"), choice)) : null,
    place,
    element("footer", { class: "report-foot quiet" }, text("report.made", about)),
  );
  if (recordings.length) show(0);
}

showReport(document.getElementById("report"));
