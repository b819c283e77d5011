// The stretch of time that is shown, which all tracks share, and the second that is played.

const SHORTEST = 0.5;

/** Return the shared state of a recording's tracks: the shown stretch, and the current second. */
export function timeRange(length) {
  const listeners = [];
  const state = { length, from: 0, to: length, now: 0 };
  const tell = (what) => [...listeners].forEach((listener) => listener(what));

  function show(from, to) {
    const width = Math.min(state.length, Math.max(Math.min(SHORTEST, state.length), to - from));
    state.from = Math.min(Math.max(0, from), state.length - width);
    state.to = state.from + width;
    tell("range");
  }

  return {
    state,
    /** Call a function with "range" or "now" at each change; returns what ends that. */
    listen(listener) {
      listeners.push(listener);
      return () => listeners.splice(listeners.indexOf(listener), 1);
    },
    show,
    showAll: () => show(0, state.length),
    /** Show a part of the stretch around a second, `factor` times as long as now. */
    zoom(factor, around = state.now) {
      const middle = Math.min(Math.max(around, state.from), state.to);
      const width = (state.to - state.from) * factor;
      const before = (middle - state.from) / (state.to - state.from);
      show(middle - before * width, middle + (1 - before) * width);
    },
    /** Move the stretch by a part of its width. */
    pan(part) {
      const step = (state.to - state.from) * part;
      show(state.from + step, state.to + step);
    },
    /** Set the second that is played, and follow it where it leaves the stretch. */
    setNow(second) {
      state.now = Math.min(Math.max(0, second), state.length);
      const width = state.to - state.from;
      if (width < state.length && (state.now < state.from || state.now > state.to)) {
        show(state.now - 0.1 * width, state.now + 0.9 * width);
      }
      tell("now");
    },
    /** Set the length of a recording that grows; a stretch that showed all of it grows along. */
    grow(longer) {
      const whole = state.to - state.from >= state.length - 1e-6;
      state.length = Math.max(longer, SHORTEST);
      show(whole ? 0 : state.from, whole ? state.length : state.to);
    },
    /** Return the place of a second from 0 to 1 of the shown stretch. */
    place: (second) => (second - state.from) / (state.to - state.from),
    /** Return the second at a place from 0 to 1 of the shown stretch. */
    second: (place) => state.from + place * (state.to - state.from),
  };
}

/** Return round marks for the axis of a stretch: about `count` of them. */
export function marks(from, to, count) {
  const rough = (to - from) / Math.max(1, count);
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  const step = steps.find((one) => one >= rough) ?? 14400;
  const all = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9; i += 1) all.push(i * step);
  return { step, all };
}
