// The server's page: recordings in, the list of jobs, and the view of one of them.

import { askJson } from "./api.js";
import { element, fill } from "./dom.js";
import { complain, intake } from "./intake.js";
import { consent, showLive } from "./live.js";
import { limits } from "./notes.js";
import { confirmed } from "./question.js";
import { showJob } from "./result.js";
import { setTexts, text } from "./texts.js";
import { canBeShown, worklist } from "./worklist.js";

const RECORDING = /^#recording=(.+)$/; // the address of a recording's view
const LIVE = "#live";

async function begin() {
  const room = document.getElementById("page");
  setTexts(await (await fetch("/static/texts.en.json")).json());
  const message = element("div", { role: "alert" });
  const remark = element("div", { role: "status", class: "remark" });
  let models = [];
  let learned = [];
  try {
    const answer = await askJson("/v1/models");
    models = answer.models.map((model) => model.name ?? model);
    learned = answer.models.flatMap((model) => model.words ?? []);
  } catch (error) {
    complain(message, error.message);
  }
  const place = element("div", { class: "result", tabindex: "-1" });
  let close = null;

  const home = element("div", { class: "home" });
  const back = element("button", { type: "button", class: "back", hidden: true, onclick: goBack }, text("back"));

  async function leave() {
    const ending = close;
    close = null;
    (await ending)?.();
    fill(place);
  }

  /** Return whether what is shown may be left; asks where a recording would be lost. */
  async function mayLeave() {
    const ending = await close;
    return !ending?.unsaved?.() || confirmed(text("live.leave"), text("live.leave.yes"));
  }

  async function showHome() {
    await leave();
    document.title = text("name");
    home.hidden = false;
    back.hidden = true;
    document.getElementById("files")?.focus();
  }

  async function show(title, start) {
    await leave();
    document.title = `${title} – ${text("name")}`;
    home.hidden = true;
    back.hidden = false;
    close = start(place);
    place.focus();
    globalThis.scrollTo(0, 0);
  }

  const list = worklist(open);
  const showRecordingOf = (job) => show(job.name, (room_) => showJob(room_, job));

  /** Open a recording, which is an entry of the browser's history. */
  function open(job) {
    history.pushState({ moodal: true }, "", `#recording=${encodeURIComponent(job.id)}`);
    return showRecordingOf(job);
  }

  /** Go back to the list: by the history, where the list is the entry before. */
  function goBack() {
    if (history.state?.moodal) history.back();
    else {
      history.replaceState(null, "", location.pathname);
      showHome();
    }
  }

  /** Show what the address names: a recording, or the list. */
  async function follow() {
    if (!(await mayLeave())) return void history.pushState({ moodal: true }, "", LIVE);
    const id = RECORDING.exec(location.hash)?.[1];
    const job = id ? list.find(decoded(id)) : null;
    complain(message, id && !job ? text("job.gone") : null);
    if (job && canBeShown(job)) return void showRecordingOf(job);
    // a live recording begins with consent, so its address alone leads to the list
    if (location.hash) history.replaceState(null, "", location.pathname);
    showHome();
  }

  function take(recordings, question, sentence) {
    fill(remark, sentence ? element("p", {}, sentence) : null);
    const jobs = list.take(recordings, question);
    if (jobs.length !== 1) return;
    // a single recording is shown as soon as there is something to show
    const [job] = jobs;
    const openOnce = () => {
      if (!canBeShown(job)) return;
      job.listeners.delete(openOnce);
      if (!home.hidden) open(job);
    };
    job.listeners.add(openOnce);
  }

  function live(camera) {
    const question = asked.value();
    if (!question) return;
    const own = question.emotions ? { emotions: question.emotions } : {};
    history.pushState({ moodal: true }, "", LIVE);
    show(text("live.name"), (room_) =>
      showLive(room_, camera, own, async (file) => {
        history.replaceState(null, "", location.pathname);
        await showHome();
        take([{ file, subtitles: null }], own, null);
      }),
    );
  }

  const asked = intake(take, models, learned);
  fill(
    home,
    element("p", { class: "lead" }, text("lead")),
    element("div", { class: "home-columns" }, asked.element, consent(live)),
    list.element,
    element("section", { class: "panel" }, limits(), element("p", { class: "quiet privacy" }, text("privacy"))),
  );
  fill(
    room,
    element("header", { class: "site-head" }, element("h1", { class: "site-name" }, text("name")), back, element("nav", {}, element("a", { href: "/docs" }, text("nav.api")))),
    message,
    remark,
    home,
    place,
  );
  await list.restore().catch((error) => complain(message, error.message));
  globalThis.addEventListener("popstate", follow);
  if (location.hash) follow();
}

/** Return a part of an address as text; what is no such part, as it is. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

begin();
