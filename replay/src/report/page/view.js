// What is looked at: kept in the fragment of the address, so that a view can be linked to and gone back to.

/** With more rows than this, groups are finer, and closed at first. */
const MANY = 100;

const DEFAULTS = {
  theme: "",
  group: PAIRS.length > MANY ? "cause" : "door",
  sort: "time",
  clock: "utc",
  show: "opened near never",
  q: "",
  line: "",
  cause: "",
  within: "",
  client: "",
  door: "",
  event: "",
  from: "",
  to: "",
};

const view = { ...DEFAULTS };

/** Reads the fragment. What it does not say is as it is in the beginning. */
function readView() {
  const said = new URLSearchParams(location.hash.slice(1));
  const { theme } = view;
  for (const name of Object.keys(DEFAULTS)) {
    view[name] = said.has(name) ? said.get(name) : DEFAULTS[name];
  }
  // Links within the page leave the colours alone.
  view.theme = said.has("theme") ? view.theme : theme;
  for (const name of ["group", "sort", "clock", "theme"]) {
    const known = [...byId(name).options].map((option) => option.value);
    view[name] = known.includes(view[name]) ? view[name] : DEFAULTS[name];
  }
}

/** Writes the fragment, without a step of its own in the history. */
function writeView() {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(view)) {
    if (value !== DEFAULTS[name]) {
      said.set(name, value);
    }
  }
  const text = said.toString();
  if (text !== location.hash.slice(1)) {
    history.replaceState(null, "", text === "" ? location.pathname + location.search : "#" + text);
  }
}

/** The pair that is selected. */
function selectedPair() {
  return PAIRS.find((pair) => pair.client === view.client && pair.door.key === view.door) || null;
}

/** The event of it that is selected. */
function selectedEvent() {
  const pair = selectedPair();
  return (view.event !== "" && pair && pair.events[Number(view.event)]) || null;
}

/** The time that is shown, in nanoseconds; where each row has a clock of its own, from its first event. */
function shownTime() {
  const [from, to] = [view.from, view.to].map((text) => (text === "" ? NaN : Number(text)));
  // A link can say anything.
  const most = 8 * Math.max(LAST - FIRST, SECOND);
  const isShown = to - from >= shortest(from, to) && Math.abs(from) <= most && Math.abs(to) <= most;
  return isShown ? { from, to } : allTime();
}

/** All time, with a little room. Of a door that stays open for long after the last packet, the beginning. */
function allTime() {
  let to;
  if (view.clock === "own") {
    const lengths = PAIRS.map((pair) => pair.last - pair.first).sort((a, b) => a - b);
    to = lengths[Math.floor((lengths.length - 1) * 0.9)] || 0;
  } else {
    const last = PAIRS.reduce((most, pair) => (pair.first > DATA.end ? most : Math.max(most, pair.last)), DATA.end);
    to = Math.max(DATA.end, Math.min(last, DATA.end * 1.5 + 15 * SECOND));
  }
  const length = Math.max(to, 1e6);
  return { from: -length * 0.02, to: length * 1.03 };
}

/** The shortest time that can be shown there: numbers far from 0 are not dense enough for less. */
function shortest(from, to) {
  return Math.max(1000, 4096 * Number.EPSILON * Math.max(Math.abs(from), Math.abs(to)));
}

/** Shows the time from one moment to another. */
function showTime(from, to) {
  const least = 2 * shortest(from, to);
  const most = 4 * Math.max(LAST - FIRST, SECOND);
  const length = Math.min(Math.max(to - from, least), most);
  const middle = (from + to) / 2;
  view.from = String(Math.round(middle - length / 2));
  view.to = String(Math.round(middle + length / 2));
}

/** Makes the shown time longer or shorter; what is at `about` stays there. */
function zoom(factor, about) {
  const { from, to } = shownTime();
  const at = about === undefined ? (from + to) / 2 : about;
  showTime(at - (at - from) * factor, at + (to - at) * factor);
}

/** Moves the shown time by a part of its length. */
function pan(part) {
  const { from, to } = shownTime();
  const by = (to - from) * part;
  showTime(from + by, to + by);
}

/** Where the clock of a row begins. */
function originOf(pair) {
  return view.clock === "own" ? pair.first : 0;
}
