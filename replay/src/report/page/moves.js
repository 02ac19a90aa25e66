// Ways to move: keys, buttons, wheel and pointer.

/** Makes a row the active one, and scrolls it onto the screen. */
function activate(place) {
  const one = timeline.items[place];
  if (!one) {
    return;
  }
  timeline.active = one.id;
  reveal(place);
  if (one.pair && !isSelected(one.pair)) {
    select(one.pair, null);
  } else {
    drawRows();
  }
}

/** Scrolls a row onto the screen: just so far, or to its middle. */
function reveal(place, isJump = false) {
  const [top, bottom] = [timeline.tops[place], timeline.tops[place + 1]];
  const isSeen = top >= list.scrollTop && bottom <= list.scrollTop + list.clientHeight;
  if (isJump && !isSeen) {
    list.scrollTop = top - list.clientHeight / 2;
  } else if (top < list.scrollTop) {
    list.scrollTop = top;
  } else if (bottom > list.scrollTop + list.clientHeight) {
    list.scrollTop = bottom - list.clientHeight;
  }
}

function activePlace() {
  return timeline.items.findIndex((one) => one.id === timeline.active);
}

function toggle(group) {
  folded.set(group.key, !group.isOpen);
  drawTimeline();
}

/** Steps to the event before or after the selected one. */
function step(pair, by) {
  const now = isSelected(pair) && view.event !== "" ? Number(view.event) : by > 0 ? -1 : pair.events.length;
  const next = pair.events[now + by];
  if (next) {
    select(pair, next);
    keepInSight(next.at - originOf(pair));
  }
}

/** Moves the shown time if a moment is not in it. */
function keepInSight(at) {
  const { from, to } = shownTime();
  if (at < from || at > to) {
    showTime(at - (to - from) / 2, at + (to - from) / 2);
    moved();
  }
}

/** Shows the time in which something happens in a row. */
function zoomToRow(pair) {
  const origin = originOf(pair);
  const [from, to] = [pair.first - origin, pair.last - origin];
  const room = Math.max((to - from) * 0.08, 1e7);
  showTime(from - room, to + room);
}

const KEYS = {
  ArrowDown: () => activate(Math.min(activePlace() + 1, timeline.items.length - 1)),
  ArrowUp: () => activate(Math.max(activePlace() - 1, 0)),
  PageDown: () => activate(Math.min(activePlace() + 10, timeline.items.length - 1)),
  PageUp: () => activate(Math.max(activePlace() - 10, 0)),
  Home: () => activate(0),
  End: () => activate(timeline.items.length - 1),
  ArrowRight: () => sideways(1),
  ArrowLeft: () => sideways(-1),
  Enter: () => enter(),
  " ": () => enter(),
  "+": () => act("in"),
  "=": () => act("in"),
  "-": () => act("out"),
  "0": () => act("all"),
  f: () => act("row"),
};

function sideways(by) {
  const one = timeline.items[activePlace()];
  if (one && one.group && one.group.isOpen !== by > 0) {
    toggle(one.group);
  } else if (one && one.pair) {
    step(one.pair, by);
  }
}

function enter() {
  const one = timeline.items[activePlace()];
  if (one && one.group) {
    toggle(one.group);
  } else if (one) {
    byId("details").focus();
  }
}

/** What the buttons do, and some keys. */
function act(what) {
  const event = selectedEvent();
  const pair = selectedPair();
  const { from, to } = shownTime();
  const at = event && pair ? event.at - originOf(pair) : NaN;
  const about = at >= from && at <= to ? at : undefined;
  const actions = {
    in: () => zoom(0.5, about),
    out: () => zoom(2, about),
    earlier: () => pan(-0.25),
    later: () => pan(0.25),
    row: () => pair && zoomToRow(pair),
    all: () => { view.from = ""; view.to = ""; },
    fold: () => timeline.groups.forEach((group) => folded.set(group.key, false)),
    unfold: () => timeline.groups.forEach((group) => folded.set(group.key, true)),
  };
  actions[what]();
  changed();
}

/** The key, a letter always small. */
function keyOf(event) {
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

list.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const isPan = event.shiftKey && event.key.startsWith("Arrow");
  if (isPan && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    act(event.key === "ArrowLeft" ? "earlier" : "later");
    event.preventDefault();
  } else if (!isPan && KEYS[keyOf(event)]) {
    KEYS[keyOf(event)]();
    event.preventDefault();
  }
});

list.addEventListener("scroll", () => requestAnimationFrame(() => drawRows()), { passive: true });

rows.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  const one = row && timeline.items.find((any) => any.id === row.id);
  if (!one || dragging.hasMoved) {
    return;
  }
  timeline.active = one.id;
  if (one.group) {
    toggle(one.group);
    return;
  }
  const mark = event.target.closest("[data-event]");
  select(one.pair, mark ? one.pair.events[Number(mark.dataset.event)] : null);
});

rows.addEventListener("dblclick", (event) => {
  const { left } = rows.getBoundingClientRect();
  zoom(0.25, scaleOf(laneWidth()).at(event.clientX - left - labelWidth()));
  moved();
});

/** Where in time the pointer is. */
function momentAt(event) {
  const left = rows.getBoundingClientRect().left + labelWidth();
  return scaleOf(laneWidth()).at(event.clientX - left);
}

byId("chart").addEventListener("wheel", (event) => {
  const overScales = event.target.closest(".scales") !== null;
  if (event.ctrlKey || event.altKey || overScales) {
    zoom(event.deltaY > 0 ? 1.25 : 0.8, overScales ? undefined : momentAt(event));
  } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    pan(Math.sign(event.deltaX || event.deltaY) * 0.1);
  } else {
    return;
  }
  event.preventDefault();
  moved();
}, { passive: false });

/** A drag over the lanes moves the time; one over the overview goes there. */
const dragging = { from: null, hasMoved: false };

rows.addEventListener("pointerdown", (event) => {
  dragging.hasMoved = false;
  if (event.button === 0 && event.pointerType === "mouse" && event.target.closest(".lane")) {
    dragging.from = { x: event.clientX, ...shownTime() };
  }
});

window.addEventListener("pointermove", (event) => {
  if (!dragging.from) {
    return;
  }
  const by = event.clientX - dragging.from.x;
  if (Math.abs(by) > 4) {
    dragging.hasMoved = true;
  }
  if (dragging.hasMoved) {
    const { from, to } = dragging.from;
    const time = (by / laneWidth()) * (to - from);
    showTime(from - time, to - time);
    moved();
  }
});

window.addEventListener("pointerup", () => { dragging.from = null; });

byId("overview").addEventListener("pointerdown", (down) => {
  const overview = byId("overview");
  const go = (event) => {
    const { left, width } = overview.getBoundingClientRect();
    const all = overviewTime();
    const at = all.from + ((event.clientX - left) / width) * (all.to - all.from);
    const { from, to } = shownTime();
    showTime(at - (to - from) / 2, at + (to - from) / 2);
    moved();
  };
  const stop = () => overview.removeEventListener("pointermove", go);
  overview.setPointerCapture(down.pointerId);
  overview.addEventListener("pointermove", go);
  overview.addEventListener("pointerup", stop, { once: true });
  go(down);
});
