// Sentences of the server in the words of the page: its fields instead of options.

import { text } from "./texts.js";

const FIELDS = {
  emotions: "ask.emotions",
  speakers: "ask.speakers",
  faces: "ask.faces",
  prior: "ask.prior",
  language: "ask.language",
  artefact: "ask.model",
};
const CHOICES = ["speakers.auto", "speakers.channels", "faces.all", "prior.talk"];
const OPTION = /--([a-z][a-z-]*)(?:[ =](auto|channels|all|talk)(?!\w))?/g; // of the command line
const CHOSEN = /\b([a-z_]+)=([a-z]+)\b/g;
const NAMED = /\bthe field ([a-z_]+)\b/g;

/** Return a sentence that names the page's fields as the page does. */
export function inPageWords(sentence) {
  return sentence
    .replace(OPTION, (whole, name, value) => (name in FIELDS ? (value ? `${name}=${value}` : `the field ${name}`) : whole))
    .replace(CHOSEN, (whole, name, value) =>
      CHOICES.includes(`${name}.${value}`) ? text("field.chosen", { name: text(FIELDS[name]), value: text(`ask.${name}.${value}`) }) : whole,
    )
    .replace(NAMED, (whole, name) => (name in FIELDS ? text("field.named", { name: text(FIELDS[name]) }) : whole));
}

/** Return a recording whose remarks, flags and reasons are in the words of the page. */
export function recordingInPageWords(recording) {
  const reasons = (absent) => Object.fromEntries(Object.entries(absent ?? {}).map(([stream, why]) => [stream, inPageWords(why)]));
  return {
    ...recording,
    remarks: (recording.remarks ?? []).map(inPageWords),
    utterances: recording.utterances.map((one) => ({ ...one, flags: (one.flags ?? []).map(inPageWords), absent: reasons(one.absent) })),
  };
}

/** Return the emotion words of a text: between commas, semicolons, slashes or line ends.
 *
 * `known` are words that stay whole although they hold a slash.
 */
export function emotionWords(content, known = []) {
  return content
    .split(/[,;\n]/)
    .map((one) => one.trim())
    .flatMap((one) => (known.includes(one) ? [one] : one.split("/")))
    .map((one) => one.trim())
    .filter(Boolean);
}
