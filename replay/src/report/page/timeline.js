// The list of rows, of which only those on the screen are drawn, with its axis.

const list = byId("list");
const rows = byId("rows");
const narrow = window.matchMedia("screen and (max-width: 760px)");

/** Whether it is drawn for paper, which has a width of its own, whatever the screen has. */
const paper = { isDrawn: false, width: 660 };

function isNarrow() {
  return narrow.matches && !paper.isDrawn;
}

/** What is drawn now. */
const timeline = { items: [], groups: [], pairs: [], tops: [0], active: null, lanes: new WeakMap() };

const HAS_LONG_ADDRESSES = PAIRS.some((pair) => pair.client.length > 20);

/** How wide the names of rows are: addresses of IPv6 can be long, and doors have names, too. */
function labelWidth() {
  if (isNarrow()) {
    return 0;
  }
  const client = namesClient() && HAS_LONG_ADDRESSES ? 130 : 0;
  return 250 + client + (namesClient() && namesDoor() ? 90 : 0) + (view.group === "cause" ? 150 : 0);
}

/** Whether rows name their door, which their group may do, or their client. */
function namesDoor() {
  return !["door", "cause"].includes(view.group);
}

function namesClient() {
  return view.group !== "client";
}

function heightOf(one) {
  if (one.group) {
    return isNarrow() ? 74 : 44;
  }
  return isNarrow() ? 58 : 34;
}

function laneHeight(one) {
  return heightOf(one) - (isNarrow() ? (one.group ? 40 : 24) : 1);
}

function laneWidth() {
  const width = paper.isDrawn ? paper.width : list.clientWidth - 8;
  return Math.max(120, width - labelWidth());
}

/** Lays out the rows again if something changed, and draws them. */
function drawTimeline() {
  const { group, sort, show, q, line, cause } = view;
  const pair = selectedPair();
  // What is selected is shown though its outcome is not.
  const hidden = pair && !show.split(" ").includes(pair.outcome) ? pair.index : "";
  const within = view.within === "" ? "" : [view.from, view.to, view.clock];
  const asked = JSON.stringify([group, sort, show, q, line, cause, hidden, within, [...folded]]);
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
    timeline.active = pair && timeline.items.some((one) => one.pair === pair) ? `pair-${pair.index}` : null;
  }
  byId("folding").hidden = timeline.groups.length === 0;
  sayShown();
  drawRows();
}

/** The time that is shown, in words. */
function sayRange({ from, to }) {
  // The room at the left is no time in which something happened.
  const first = from < 0 && to > 0 && from > FIRST / 2 ? 0 : Math.max(from, FIRST);
  const start = view.clock === "utc" ? `${utc(first, 0)} UTC` : `from ${seconds(first)}`;
  byId("range").textContent = `${start}, ${duration(to - first)}`;
}

function sayShown() {
  const clients = new Set(timeline.pairs.map((pair) => pair.client)).size;
  const causes = causesShown();
  const all = causes.reduce((sum, cause) => sum + cause.pairs, 0);
  const isCut = causes.some((cause) => cause.unlisted > 0);
  const hidden = PAIRS.length - timeline.pairs.length;
  const rest = hidden > 0 && !isCut ? `, ${number(hidden)} hidden` : "";
  const rows_ = isCut ? `${counted(timeline.pairs.length, "row")} of ${number(all)}` : counted(timeline.pairs.length, "row");
  byId("shown").textContent = `${counted(clients, "client")}, ${rows_}${rest}`;
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
    const rest = CAUSES.reduce((sum, cause) => sum + cause.unlisted, 0);
    const hidden = rest > 0
      ? ` ${counted(rest, "client has", "clients have")} no row: 'knock-replay explain --client CLIENT' explains one client.`
      : "";
    const nothing = PAIRS.length === 0 ? "No client knocked at any door." : `No rows match.${hidden}`;
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
    drawGroupLane(lane, one.group, scale, height, causesOf(one.group));
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
  const causes = causesOf(group);
  const unlisted = causes.reduce((sum, cause) => sum + cause.unlisted, 0);
  const opened = group.pairs.filter((pair) => pair.outcome === "opened").length;
  const part = opened > 0 && opened < group.pairs.length && unlisted === 0 ? `, ${number(opened)} opened` : "";
  const count = unlisted > 0
    ? `${number(group.pairs.length + unlisted)} clients, rows of the first ${number(group.pairs.length)}`
    : counted(group.pairs.length, "row") + part;
  const cause = view.group === "cause" ? group.pairs[0].cause : null;
  return make("div", { class: "label", title: group.name },
    make("span", { class: "fold", "aria-hidden": "true" }, group.isOpen ? "▾" : "▸"),
    make("span", { class: "both" },
      make("span", { class: "name" }, group.name),
      make("span", { class: "what" }, cause && cause.of > 0 ? pips(cause.stage, cause.of) : null, count)));
}

/** How many knocks of a sequence were made, as a row of little boxes. */
function pips(stage, of) {
  const boxes = Array.from({ length: of }, (_, knock) => make("i", { class: knock < stage ? "made" : null }));
  return make("span", { class: "pips", role: "img", "aria-label": `${stage} of ${of} knocks`, title: `${stage} of ${of} knocks` }, ...boxes);
}

function pairLabel(pair) {
  const outcome = OUTCOMES[outcomeOf(pair)];
  const isMiss = (pair.outcome === "near" || pair.outcome === "never") && pair.of > 0;
  return make("div", { class: "label", title: `${pair.client} at ${pair.door.name}` },
    isMiss ? pips(pair.stage, pair.of) : symbol(outcome.kind, 16),
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
  let day = utc(Math.max(scale.from, FIRST), 0).slice(0, 10);
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
  drawGroupLane(overview, { pairs: timeline.pairs }, { ...scale, x, width, from, to }, height, causesShown());
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
