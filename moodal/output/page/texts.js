// The texts of the page. All of them are in texts.en.json; a translation is another such file.

let sentences = {};

/** Set the texts that `text` reads: key -> sentence with {names} in braces. */
export function setTexts(texts) {
  sentences = texts;
}

/** Return the text of a key, with its {names} replaced by values; an unknown key shows itself. */
export function text(key, values = {}) {
  const pattern = Object.hasOwn(sentences, key) ? sentences[key] : key;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) =>
    Object.hasOwn(values, name) ? String(values[name]) : whole,
  );
}

/** Return the text of a key for a number: key.one for 1, else key.many. */
export function counted(key, count, values = {}) {
  return text(`${key}.${count === 1 ? "one" : "many"}`, { count, ...values });
}
