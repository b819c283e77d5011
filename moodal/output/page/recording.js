// One recording of a moodal-timeline/1 document, prepared for drawing.

import { UNSURE, coloursOf, lettersOf, streamInfo } from "./appearance.js";

const NO_FACE = "no face";

/** Return a recording of the document with what the drawings need of it.
 *
 * A text and the faces of a picture have no times: each utterance then is as wide as 1, and
 * `timed` is false.
 */
export function readRecording(recording) {
  const timed =
    recording.kind !== "image" &&
    recording.utterances.every((u) => u.start !== null && u.end !== null);
  const utterances = recording.utterances.map((u, i) => readUtterance(u, i, timed));
  const rows = utterances.flatMap((u) => (u.slices.length ? u.slices : [u]));
  const shown = rows.map((row) => row.shown).filter(Boolean);
  const emotions = [...new Set([...recording.emotions, ...shown])];
  const ends = utterances.map((u) => u.to);
  const length = Math.max(timed ? recording.duration ?? 0 : 0, ...ends, timed ? 0.1 : 1);
  return {
    source: recording,
    name: nameOf(recording),
    kind: recording.kind,
    timed,
    playable: recording.kind !== "text" && recording.kind !== "subtitles" && !recording.live,
    length,
    short: length < 60,
    utterances,
    rows,
    emotions,
    colours: coloursOf(emotions),
    letters: lettersOf(emotions),
    persons: personsOf(utterances),
    values: recording.values ?? [],
    stream: (name) => streamInfo(name, recording.modalities),
    waveform: bytesOf(recording.waveform, Int8Array),
    places: bytesOf(recording.face_places, Float32Array),
    remarks: recording.remarks ?? [],
  };
}

function readUtterance(source, index, timed) {
  const slices = (source.slices ?? []).map((slice, i) => ({
    ...readRow(slice, timed ? slice.start : index + i / source.slices.length, timed),
    number: `${index + 1}.${i + 1}`,
    utterance: index,
    slices: [],
  }));
  const row = readRow(source, timed ? source.start : index, timed);
  return { ...row, number: String(index + 1), utterance: index, slices };
}

function readRow(source, from, timed) {
  const probabilities = Object.entries(source.probabilities);
  const top = probabilities.reduce((best, one) => (best && best[1] >= one[1] ? best : one), null);
  const shown = source.decided[0] ?? top?.[0] ?? "";
  return {
    source,
    from,
    to: timed ? source.end : from + 1,
    who: source.person ?? faceName(source.track),
    shown,
    probability: shown ? source.probabilities[shown] ?? 0 : 0,
    corrected: (source.flags ?? []).some((flag) => flag.startsWith("Corrected by ")),
    decided: source.decided.length > 0,
    label: source.decided[0] ?? (shown ? UNSURE : ""),
    provisional: source.provisional === true,
    headline: (source.dimensions ?? {})[source.headline] ?? null,
  };
}

function nameOf(recording) {
  const name = recording.path.split(/[\\/]/).pop();
  return { "": recording.kind === "text" ? "a text" : "sound from memory", "-": "standard input" }[name] ?? name;
}

function faceName(track) {
  return track === null || track === undefined ? NO_FACE : `face ${track}`;
}

/** Return the names of several persons in the order of their appearance; none where there is one. */
function personsOf(utterances) {
  const names = [...new Set(utterances.map((u) => u.who))];
  return names.filter((name) => name !== NO_FACE).length > 1 ? names : [];
}

function bytesOf(text, Type) {
  if (!text) return new Type(0);
  const binary = atob(text);
  const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  return new Type(bytes.buffer, 0, Math.floor(bytes.length / Type.BYTES_PER_ELEMENT));
}

/** Return the rows of each person with the name; all together where persons are not told apart. */
export function lanesOf(model) {
  if (!model.persons.length) return [{ name: "", rows: model.rows }];
  return model.persons.map((name) => ({ name, rows: model.rows.filter((row) => row.who === name) }));
}

/** Return the utterance at a second, else the last one before it; null before the first. */
export function utteranceAt(model, second) {
  let before = null;
  for (const utterance of model.utterances) {
    if (utterance.from > second + 1e-6) break;
    before = utterance;
    if (second < utterance.to) return utterance;
  }
  return before;
}
