// The list of jobs: their progress while they run, and what was answered.

import { askJson, listenToJob, sendJob } from "./api.js";
import { clock, percent } from "./appearance.js";
import { element } from "./dom.js";
import { draftsOf } from "./drafts.js";
import { formOf } from "./intake.js";
import { confirmed } from "./question.js";
import { inPageWords } from "./sentences.js";
import { text } from "./texts.js";

const AT_ONCE = 2; // uploads at the same time

/** Return the list of this browser's jobs; `open(job)` shows one.
 *
 * A job is {id, name, status, file, answers, ...}: `file` is the browser's own copy, which is
 * played; `answers` are those that have come so far; `listeners` is a set of functions that are
 * called after each change; `upload` stops its sending.
 */
export function worklist(open) {
  const rows = element("ul", { class: "jobs" });
  const room = element("section", { class: "panel", "aria-label": text("jobs"), hidden: true }, element("h2", {}, text("jobs")), rows);
  const jobs = new Set();
  const waiting = [];
  let sending = 0;

  function row(job) {
    const name = element("span", { class: "job-name" });
    const state = element("span", { class: "job-state", role: "status" });
    const bar = element("progress", { max: 1, "aria-label": text("job.progress", { name: job.name }) });
    const show = element("button", { type: "button", onclick: () => open(job) }, text("job.open"));
    const stop = element("button", { type: "button", onclick: () => removeIfMeant(job) }, text("job.delete"));
    const item = element(
      "li",
      { class: "job" },
      name,
      state,
      bar,
      element("span", { class: "job-buttons" }, show, stop),
    );
    job.draw = () => {
      const running = ["sending", "queued", "running"].includes(job.status);
      name.textContent = job.name;
      state.textContent = stateOf(job);
      state.classList.toggle("error", job.status === "failed");
      bar.hidden = !running;
      const share = job.status === "sending" ? job.sent : shareOf(job.progress);
      if (share === null || share === undefined) bar.removeAttribute("value");
      else bar.value = share;
      show.hidden = !canBeShown(job);
      stop.textContent = text(running ? "job.stop" : "job.delete");
      job.listeners.forEach((listener) => listener(job));
    };
    job.item = item;
    rows.prepend(item);
    room.hidden = false;
    job.draw();
  }

  /** Remove a job; of one that has an answer, ask first. */
  async function removeIfMeant(job) {
    const ask = () => confirmed(text("delete.ask", { name: job.name }), text("delete.yes"));
    if (job.status !== "done" || (await ask())) await remove(job);
  }

  async function remove(job) {
    job.deaf?.();
    job.status = "cancelled";
    job.upload.abort();
    job.item.remove();
    jobs.delete(job);
    room.hidden = !rows.children.length;
    if (job.id) draftsOf(job.id).clear();
    if (job.id) await askJson(`/v1/jobs/${encodeURIComponent(job.id)}`, { method: "DELETE" }).catch(() => {});
    job.listeners.forEach((listener) => listener(job));
  }

  function sendNext() {
    while (sending < AT_ONCE && waiting.length) {
      const job = waiting.shift();
      if (job.status === "cancelled") continue;
      sending += 1;
      send(job).finally(() => {
        sending -= 1;
        sendNext();
      });
    }
  }

  async function send(job) {
    try {
      const progress = (share) => {
        job.sent = share;
        job.draw();
      };
      const { id, name, status } = await sendJob(formOf(job.recording, job.question), progress, job.upload.signal);
      job.id = id;
      job.name = name || job.name; // the server may have given it another name
      if (job.status === "cancelled") return void remove(job);
      job.status = status;
      follow(job);
    } catch (error) {
      if (job.status === "cancelled") return;
      job.status = "failed";
      job.error = error.message;
    }
    job.draw();
  }

  function follow(job) {
    const become = (status, more = {}) => {
      if (job.status === "cancelled") return;
      Object.assign(job, { status, ...more });
      job.draw();
    };
    job.deaf = listenToJob(job.id, {
      progress: (progress) => become("running", { progress }),
      answer: (answer) => become("running", { answers: [...job.answers, answer] }),
      done: () => become("done"),
      failed: (data) => become("failed", { error: data.error }),
      cancelled: () => become("cancelled"),
    });
  }

  const add = (fields) => {
    const job = { id: null, status: "sending", sent: 0, progress: null, error: null, answers: [], listeners: new Set(), upload: new AbortController(), file: null, ...fields };
    jobs.add(job);
    row(job);
    return job;
  };

  return {
    element: room,
    /** Send recordings as jobs, and return these. */
    take(recordings, question) {
      const added = recordings.map((recording) =>
        add({ name: recording.file?.name ?? text("typed.name"), recording, question, file: recording.file }),
      );
      waiting.push(...added);
      sendNext();
      return added;
    },
    /** Return the job of an id; null without one. */
    find: (id) => [...jobs].find((job) => job.id === id) ?? null,
    /** Add the jobs that the server still has, the oldest first. */
    async restore() {
      const answer = await askJson("/v1/jobs");
      for (const { id, name, status, error, progress } of [...answer.jobs].reverse()) {
        const job = add({ id, name: name || text("typed.name"), status, error, progress });
        if (["queued", "running"].includes(status)) follow(job);
      }
    },
  };
}

/** Return whether a job has something to show. */
export function canBeShown(job) {
  return job.status === "done" || job.answers.length > 0;
}

function shareOf(progress) {
  return progress?.duration ? Math.min(1, progress.seconds / progress.duration) : null;
}

function stateOf(job) {
  if (job.status === "sending") return job.sent ? text("job.sending", { percent: percent(job.sent) }) : text("job.waiting");
  if (job.status === "failed") return inPageWords(job.error ?? text("job.failed"));
  if (job.status !== "running") return text(`job.${job.status}`);
  const parts = [text("job.running")];
  const { progress } = job;
  if (progress?.duration) parts.push(text("job.place", { now: clock(progress.seconds), all: clock(progress.duration) }));
  if (progress?.eta > 1) parts.push(text("job.eta", { eta: clock(progress.eta) }));
  if (job.answers.length) parts.push(text("job.answers", { count: job.answers.length }));
  return parts.join(" · ");
}
