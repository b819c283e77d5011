// Drafts: what was typed and is not saved. They stay in this tab, also when the page is loaded
// again or crashes, until they are saved or discarded.

/** Return the drafts of one name, such as a recording: id of an utterance -> what was typed. */
export function draftsOf(name) {
  const key = `moodal.drafts.${name}`;
  const drafts = new Map(stored(key));

  function store() {
    try {
      if (drafts.size) sessionStorage.setItem(key, JSON.stringify([...drafts]));
      else sessionStorage.removeItem(key);
    } catch {
      // the browser keeps nothing; the drafts remain as long as the page
    }
  }

  return {
    get: (id) => drafts.get(id) ?? null,
    has: (id) => drafts.has(id),
    count: () => drafts.size,
    /** Keep a draft; null takes it away. */
    set(id, draft) {
      if (draft === null) drafts.delete(id);
      else drafts.set(id, draft);
      store();
    },
    clear() {
      drafts.clear();
      store();
    },
  };
}

function stored(key) {
  try {
    const entries = JSON.parse(sessionStorage.getItem(key));
    return Array.isArray(entries) ? entries : [];
  } catch {
    return [];
  }
}
