// The appearance of emotions, streams and numbers: the same colours and letters as in moodal's
// plots and terminal (moodal/output/style.py).

const BASIC_COLOURS = {
  anger: "#D55E00",
  disgust: "#009E73",
  fear: "#CC79A7",
  happiness: "#E69F00",
  neutral: "#999999",
  sadness: "#0072B2",
  surprise: "#56B4E9",
};
export const FURTHER = [
  "#882255", "#44AA99", "#332288", "#AA4499", "#999933", "#CC6677", "#117733", "#661100",
];
const BASIC_LETTERS = { surprise: "U", happiness: "H", sadness: "S" };
const SPARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz123456789";

export const UNSURE = "unsure";
export const GREY = "#8C8C8C";
export const DIMENSIONS = ["valence", "arousal", "dominance"];
export const DIMENSION_COLOURS = { valence: "#0072B2", arousal: "#D55E00", dominance: "#009E73" };

const BUILT_IN = {
  text: { label: "words", colour: "#0072B2" },
  speech: { label: "voice", colour: "#E69F00" },
  face: { label: "face", colour: "#009E73" },
};

/** Return emotion -> colour; the basic emotions always have the same one. */
export function coloursOf(emotions) {
  const others = emotions.filter((emotion) => !Object.hasOwn(BASIC_COLOURS, emotion));
  const colour = (emotion) =>
    Object.hasOwn(BASIC_COLOURS, emotion)
      ? BASIC_COLOURS[emotion]
      : FURTHER[others.indexOf(emotion) % FURTHER.length];
  return new Map(emotions.map((emotion) => [emotion, colour(emotion)]));
}

/** Return emotion -> a distinct letter; the basic emotions always have the same one. */
export function lettersOf(emotions) {
  const letters = new Map();
  const taken = new Set();
  const give = (emotion, letter) => {
    letters.set(emotion, letter);
    taken.add(letter);
  };
  for (const emotion of emotions) {
    if (Object.hasOwn(BASIC_COLOURS, emotion)) {
      give(emotion, BASIC_LETTERS[emotion] ?? emotion[0].toUpperCase());
    }
  }
  for (const emotion of emotions) {
    if (letters.has(emotion)) continue;
    const candidates = [...emotion.toUpperCase()].filter((c) => /\p{L}/u.test(c));
    give(emotion, [...candidates, ...SPARE].find((c) => !taken.has(c)) ?? "*");
  }
  return letters;
}

/** Return the label and colour of a stream; `modalities` are those that the document names. */
export function streamInfo(stream, modalities = []) {
  const named = modalities.find((one) => one.name === stream);
  if (named) return { label: named.label, colour: safeColour(named.colour) };
  return Object.hasOwn(BUILT_IN, stream) ? BUILT_IN[stream] : { label: stream, colour: GREY };
}

function safeColour(colour) {
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour : GREY;
}

function luminance(colour) {
  const channels = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
  const [red, green, blue] = channels.map((c) =>
    c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Return black or white, whichever has the better contrast on a colour: 4.5 or more. */
export function inkOn(colour) {
  return luminance(colour) > 0.179 ? "#000000" : "#FFFFFF";
}

/** Return "62 %" of 0.62. */
export function percent(share) {
  return `${(100 * share).toFixed(0)} %`;
}

/** Return a number with its sign: "+1.2" or "−0.4". */
export function signed(number, digits = 1) {
  const rounded = Number(number.toFixed(digits)) + 0;
  return `${rounded < 0 ? "−" : "+"}${Math.abs(rounded).toFixed(digits)}`;
}

/** Return seconds as a clock: "1:05", with hours from 60 minutes on, with tenths if asked. */
export function clock(seconds, tenths = false) {
  const units = tenths ? Math.round(seconds * 10) : Math.round(seconds) * 10;
  const minutes = Math.floor(units / 600);
  const rest = units - minutes * 600;
  const end = `${String(Math.floor(rest / 10)).padStart(2, "0")}${tenths ? `.${rest % 10}` : ""}`;
  if (minutes < 60) return `${minutes}:${end}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${end}`;
}

/** Return start and end for readers; of a recording under a minute, in seconds with tenths. */
export function times(start, end, short) {
  if (short) return `${start.toFixed(1)}–${end.toFixed(1)} s`;
  return `${clock(start)}–${clock(end)}`;
}
