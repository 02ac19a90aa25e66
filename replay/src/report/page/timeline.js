// The list of rows, of which only those on the screen are drawn, with its axis and its ways to move.

const list = byId("list");
const rows = byId("rows");
const narrow = window.matchMedia("(max-width: 760px)");

/** What is drawn now. */
const timeline = { items: [], groups: [], pairs: [], tops: [0], active: null, lanes: new WeakMap() };

const HAS_LONG_ADDRESSES = PAIRS.some((pair) => pair.client.length > 20);

/** How wide the names of rows are: addresses of IPv6 can be long, and doors have names, too. */
function labelWidth() {
  if (narrow.matches) {
    return 0;
  }
  const client = namesClient() && HAS_LONG_ADDRESSES ? 130 : 0;
  return 250 + client + (namesClient() && namesDoor() ? 90 : 0);
}

/** Whether rows name their door, which their group may do, or their client. */
function namesDoor() {
  return !["door", "both"].includes(view.group);
}

function namesClient() {
  return view.group !== "client";
}

function heightOf(one) {
  if (one.group) {
    return narrow.matches ? 74 : 44;
  }
  return narrow.matches ? 58 : 34;
}

function laneHeight(one) {
  return heightOf(one) - (narrow.matches ? (one.group ? 40 : 24) : 1);
}

function laneWidth() {
  return Math.max(120, list.clientWidth - labelWidth() - 8);
}

/** Lays the rows out anew if anything asks for that, and draws them. */
function drawTimeline() {
  const { group, sort, show, q, line } = view;
  const hidden = show.includes("elsewhere") ? "" : `${view.client} ${view.door}`;
  const within = view.within === "" ? "" : [view.from, view.to, view.clock];
  const asked = JSON.stringify([group, sort, show, q, line, hidden, within, [...folded]]);
  if (asked !== timeline.asked) {
    Object.assign(timeline, layOut(), { asked });
  }
  document.documentElement.style.setProperty("--label", `${labelWidth()}px`);
  timeline.tops = [0];
  for (const one of timeline.items) {
    timeline.tops.push(timeline.tops[timeline.tops.length - 1] + heightOf(one));
  }
  const height = timeline.tops[timeline.items.length];
  rows.style.height = `${Math.max(height, 40)}px`;
  list.style.height = `${Math.min(Math.max(height, 40) + 2, Math.max(320, window.innerHeight * 0.7))}px`;
  if (!timeline.items.some((one) => one.id === timeline.active)) {
    const pair = selectedPair();
    timeline.active = pair && timeline.items.some((one) => one.pair === pair) ? `pair-${pair.index}` : null;
  }
  byId("folding").hidden = timeline.groups.length === 0;
  sayShown();
  drawRows();
}

/** The time that is shown, in words. */
function sayRange({ from, to }) {
  const start = view.clock === "utc" ? `${utc(Math.max(from, 0), 0)} UTC` : `from ${seconds(Math.max(from, 0))}`;
  byId("range").textContent = `${start}, ${duration(to - Math.max(from, 0))}`;
}

function sayShown() {
  const clients = new Set(timeline.pairs.map((pair) => pair.client)).size;
  const hidden = PAIRS.length - timeline.pairs.length;
  const rest = hidden > 0 ? `, ${number(hidden)} hidden` : "";
  const text = `${counted(clients, "client")}, ${counted(timeline.pairs.length, "row")}${rest}`;
  byId("shown").textContent = text;
}

/** The index of the row at a height. */
function rowAt(y) {
  let [low, high] = [0, timeline.items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeline.tops[middle + 1] <= y) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** Draws the rows that are on the screen. When `all` are wanted, for paper, those up to a limit. */
function drawRows(all = 0) {
  const scale = scaleOf(laneWidth());
  const overscan = 200;
  const first = all > 0 ? 0 : rowAt(Math.max(0, list.scrollTop - overscan));
  const bottom = all > 0 ? Infinity : list.scrollTop + list.clientHeight + overscan;
  const drawn = [];
  const limit = all > 0 ? Math.min(all, timeline.items.length) : timeline.items.length;
  for (let place = first; place < limit && timeline.tops[place] < bottom; place += 1) {
    drawn.push(drawRow(timeline.items[place], timeline.tops[place], scale));
  }
  if (timeline.items.length === 0) {
    const nothing = PAIRS.length === 0 ? "Nobody knocked at any door." : "Nothing fits what is asked for.";
    drawn.push(make("p", { class: "nothing" }, nothing));
  }
  rows.replaceChildren(...drawn);
  if (timeline.active && drawn.some((row) => row.id === timeline.active)) {
    list.setAttribute("aria-activedescendant", timeline.active);
  } else {
    list.removeAttribute("aria-activedescendant");
  }
  drawScales(scale);
}

function drawRow(one, top, scale) {
  const height = laneHeight(one);
  const lane = draw("svg", { class: "lane", width: scale.width, height, "aria-hidden": "true" });
  const row = make("div", {
    id: one.id,
    role: "treeitem",
    "aria-level": one.parent ? 2 : 1,
    "aria-setsize": one.of,
    "aria-posinset": one.at + 1,
    class: one.id === timeline.active ? "row active" : "row",
  });
  row.style.top = `${top}px`;
  row.style.height = `${heightOf(one)}px`;
  if (one.group) {
    row.classList.add("group");
    row.setAttribute("aria-expanded", String(one.group.isOpen));
    row.append(groupLabel(one.group), lane);
    drawGroupLane(lane, one.group, scale, height);
  } else {
    const isChosen = isSelected(one.pair);
    row.classList.add("pair", one.pair.outcome);
    row.classList.toggle("chosen", isChosen);
    row.setAttribute("aria-selected", String(isChosen));
    row.append(pairLabel(one.pair), lane);
    timeline.lanes.set(lane, { pair: one.pair, marks: drawLane(lane, one.pair, scale, height) });
  }
  return row;
}

function groupLabel(group) {
  const opened = group.pairs.filter((pair) => pair.outcome === "opened").length;
  const part = opened > 0 && opened < group.pairs.length ? `, ${number(opened)} opened` : "";
  return make("div", { class: "label" },
    make("span", { class: "fold", "aria-hidden": "true" }, group.isOpen ? "▾" : "▸"),
    make("span", { class: "both" },
      make("span", { class: "name" }, group.name),
      make("span", { class: "what" }, counted(group.pairs.length, "row") + part)));
}

function pairLabel(pair) {
  const outcome = OUTCOMES[outcomeOf(pair)];
  return make("div", { class: "label", title: `${pair.client} at ${pair.door.name}` },
    symbol(outcome.kind, 16),
    namesClient() ? make("span", { class: "client" }, pair.client) : null,
    namesDoor() ? make("span", { class: "door" }, pair.door.name) : null,
    make("span", { class: "what" }, shortOutcome(pair)));
}

/** Draws the axis, and above it how much happens in all the time there is. */
function drawScales(scale) {
  const axis = byId("axis");
  axis.setAttribute("width", scale.width);
  axis.setAttribute("height", 26);
  axis.replaceChildren();
  const isUtc = view.clock === "utc";
  const { list: marks, step } = ticks(scale.from, scale.to, scale.width / 95, isUtc);
  let day = utc(Math.max(scale.from, 0), 0).slice(0, 10);
  for (const at of marks) {
    const x = scale.x(at);
    const date = utc(at, 0).slice(0, 10);
    const isNewDay = isUtc && date !== day && step < 86400 * SECOND;
    day = date;
    axis.append(draw("path", { class: "tick", d: `M${x.toFixed(1)} 20V26` }));
    axis.append(draw("text", {
      x: Math.min(Math.max(x, 2), scale.width - 2), y: 14, "text-anchor": anchor(x, scale.width),
    }, (isNewDay ? `${date.slice(5)} ` : "") + tickText(at, step, isUtc)));
  }
  drawOverview(scale);
  sayRange(scale);
}

function anchor(x, width) {
  if (x < 35) {
    return "start";
  }
  return x > width - 35 ? "end" : "middle";
}

/** The time that the overview shows. */
function overviewTime() {
  const all = allTime();
  const { from, to } = shownTime();
  return { from: Math.min(all.from, from), to: Math.max(all.to, to) };
}

function drawOverview(scale) {
  const overview = byId("overview");
  const [width, height] = [scale.width, 30];
  overview.setAttribute("width", width);
  overview.setAttribute("height", height);
  const { from, to } = overviewTime();
  const x = (at) => ((at - from) / (to - from)) * width;
  drawGroupLane(overview, { pairs: timeline.pairs }, { ...scale, x, width }, height);
  const [left, right] = [x(scale.from), x(scale.to)];
  if (right - left < width - 1) {
    overview.append(draw("path", {
      class: "veil", d: `M0 0H${left}V${height}H0ZM${right} 0H${width}V${height}H${right}Z`,
    }));
    overview.append(draw("rect", {
      class: "window", x: left, y: 0.5, width: Math.max(3, right - left), height: height - 1,
    }));
  }
}

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

/** Steps to the event before or behind the selected one. */
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
  const about = event && pair ? event.at - originOf(pair) : undefined;
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

list.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const isPan = event.shiftKey && event.key.startsWith("Arrow");
  if (isPan && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    act(event.key === "ArrowLeft" ? "earlier" : "later");
    event.preventDefault();
  } else if (!isPan && KEYS[event.key]) {
    KEYS[event.key]();
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

/** What stands beside the pointer. */
const tip = byId("tip");

rows.addEventListener("pointermove", (event) => {
  const mark = event.target.closest("[data-event]");
  const lane = mark && mark.closest(".lane");
  const known = lane && timeline.lanes.get(lane);
  if (!known || dragging.hasMoved) {
    tip.hidden = true;
    return;
  }
  const here = known.marks.find((one) => one.best.index === Number(mark.dataset.event));
  if (tip.dataset.of !== `${known.pair.index} ${here.best.index}` || tip.hidden) {
    tip.replaceChildren(...tipLines(known.pair, here));
    tip.dataset.of = `${known.pair.index} ${here.best.index}`;
    tip.hidden = false;
  }
  const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
  const below = event.clientY + 18;
  const isLow = below + tip.offsetHeight > window.innerHeight;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${isLow ? event.clientY - tip.offsetHeight - 12 : below}px`;
});

rows.addEventListener("pointerleave", () => { tip.hidden = true; });

function tipLines(pair, mark) {
  const most = 7;
  const lines = [make("strong", {}, `${pair.client} at ${pair.door.name}`)];
  for (const event of mark.events.slice(0, most)) {
    lines.push(make("span", { class: "tip-line" },
      symbol(event.kind.name, 14),
      make("span", { class: "when" }, clockText(event.at, pair)),
      make("span", {}, [packetText(event), DATA.texts[event.text]].filter(Boolean).join(" · "))));
  }
  if (mark.events.length > most) {
    lines.push(make("span", {}, `and ${counted(mark.events.length - most, "more event", "more events")}; zoom in to part them`));
  }
  return lines;
}
