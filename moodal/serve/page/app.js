// The server's page: recordings in, the list of jobs, and the view of one of them.

import { askJson } from "./api.js";
import { element, fill } from "./dom.js";
import { complain, intake } from "./intake.js";
import { consent, showLive } from "./live.js";
import { limits } from "./notes.js";
import { showJob } from "./result.js";
import { setTexts, text } from "./texts.js";
import { worklist } from "./worklist.js";

async function begin() {
  const room = document.getElementById("page");
  setTexts(await (await fetch("/static/texts.en.json")).json());
  const message = element("div", { role: "alert" });
  let models = [];
  try {
    const answer = await askJson("/v1/models");
    models = answer.models.map((model) => model.name ?? model);
  } catch (error) {
    complain(message, error.message);
  }
  const place = element("div", { class: "result", tabindex: "-1" });
  let close = null;

  const home = element("div", { class: "home" });
  const back = element("button", { type: "button", class: "back", hidden: true, onclick: goHome }, text("back"));

  async function leave() {
    const ending = close;
    close = null;
    (await ending)?.();
    fill(place);
  }

  async function goHome() {
    await leave();
    home.hidden = false;
    back.hidden = true;
    document.getElementById("files")?.focus();
  }

  async function show(start) {
    await leave();
    home.hidden = true;
    back.hidden = false;
    close = start(place);
    place.focus();
    globalThis.scrollTo(0, 0);
  }

  const list = worklist((job) => show((room_) => showJob(room_, job)));

  function take(recordings, question) {
    const jobs = list.take(recordings, question);
    if (jobs.length !== 1) return;
    // a single recording is shown as soon as there is something to show
    const [job] = jobs;
    const open = () => {
      if (job.status !== "done" && !job.answers.length) return;
      job.listeners.delete(open);
      if (!home.hidden) show((room_) => showJob(room_, job));
    };
    job.listeners.add(open);
  }

  const live = (camera) =>
    show((room_) =>
      showLive(room_, camera, liveQuestion(), (file) => {
        goHome().then(() => take([{ file, subtitles: null }], liveQuestion()));
      }),
    );

  function liveQuestion() {
    const emotions = document.getElementById("emotions")?.value.trim();
    return emotions ? { emotions } : {};
  }

  fill(
    home,
    element("p", { class: "lead" }, text("lead")),
    element("div", { class: "home-columns" }, intake(take, models), consent(live)),
    list.element,
    element("section", { class: "panel" }, limits(), element("p", { class: "quiet privacy" }, text("privacy"))),
  );
  fill(
    room,
    element("header", { class: "site-head" }, element("h1", { class: "site-name" }, text("name")), back, element("nav", {}, element("a", { href: "/docs" }, text("nav.api")))),
    message,
    home,
    place,
  );
  await list.restore().catch((error) => complain(message, error.message));
}

begin();
