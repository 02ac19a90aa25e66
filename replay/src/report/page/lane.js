// One row of the timeline: bars for attempts and open doors, a mark for each event.

/** The shapes of the marks, around 0,0. Each differs in shape as well as in colour. */
const SHAPES = {
  opened: "M0 -8.5L2.4 -3L8.2 -2.6L3.7 1.2L5.2 7L0 3.8L-5.2 7L-3.7 1.2L-8.2 -2.6L-2.4 -3Z",
  dropped: "M-7 -5.5H7L0 7Z",
  void: "M-5 -5L5 5M5 -5L-5 5",
  late: "M-7 5.5H7L0 -7Z",
  timeout: "M-5.5 -6.5H5.5L-5.5 6.5H5.5Z",
  closed: "M-5 -5H5V5H-5Z",
  stage: "M-7 0A7 7 0 1 0 7 0A7 7 0 1 0 -7 0Z",
  command: "M-4.5 -6L6 0L-4.5 6Z",
  retransmission: "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0 -4.5 0Z",
  ignored: "M0 -5.5L5.5 0L0 5.5L-5.5 0Z",
};

/** How near marks may come before they become one, in pixels. */
const MARK = 12;

/** Returns a small picture of a kind, for legends and lists. */
function symbol(kind, size = 18) {
  const half = 10;
  return draw("svg", {
    class: "symbol", width: size, height: size, viewBox: `${-half} ${-half} ${2 * half} ${2 * half}`,
    "aria-hidden": "true",
  }, draw("path", { class: `mark ${kind}`, d: SHAPES[kind] }));
}

/** Returns what turns moments into pixels. */
function scaleOf(width) {
  const { from, to } = shownTime();
  const x = (at) => ((at - from) / (to - from)) * width;
  const at = (pixels) => from + (pixels / width) * (to - from);
  return { x, at, from, to, width };
}

/** Draws the row of a pair. Returns its marks, each with its events. */
function drawLane(lane, pair, scale, height) {
  const origin = originOf(pair);
  const x = (at) => scale.x(at - origin);
  const middle = height / 2;
  lane.replaceChildren();
  after(lane, x(DATA.end), scale.width, height);
  drawLeftOut(lane, pair, x, scale.width, middle);
  let drawnTo = -Infinity;
  for (const lease of pair.leases) {
    // Of many that are too short to be distinguished, one is drawn.
    const right = lease.to === null ? Infinity : x(lease.to);
    if (right > drawnTo + 2) {
      drawLease(lane, lease, x, scale.width, middle);
      drawnTo = right;
    }
  }
  for (const attempt of pair.attempts) {
    drawAttempt(lane, attempt, x, scale.width, middle);
  }
  const marks = marksOf(pair, x, scale.width);
  const selected = isSelected(pair) ? selectedEvent() : null;
  for (const mark of marks) {
    lane.append(drawMark(mark, middle, mark.events.includes(selected)));
  }
  marks.forEach((mark, place) => {
    const text = `×${number(mark.moments)}`;
    const next = marks[place + 1];
    const room = next ? next.at - mark.at : Infinity;
    if (mark.moments > 1 && room > 6 + 7 * text.length) {
      lane.append(draw("text", { class: "more", x: mark.at + 8, y: middle - 6 }, text));
    }
  });
  return marks;
}

/** The time after the last packet, when there are only timeouts. */
function after(lane, end, width, height) {
  const from = Math.max(0, end);
  if (from < width) {
    lane.append(draw("rect", { class: "after", x: from, y: 0, width: width - from, height }));
  }
}

/** A stretch of pixels as far as it is on the screen, a little beyond at most. */
function clip(from, to, width) {
  const [left, right] = [Math.max(-20, from), Math.min(width + 20, to)];
  return right > left ? { left, length: right - left } : null;
}

/** Where events happened that are not on the page. */
function drawLeftOut(lane, pair, x, width, middle) {
  const part = pair.left_out_times && clip(x(pair.left_out_times[0]), x(pair.left_out_times[1]) + 2, width);
  if (part) {
    lane.append(draw("path", { class: "left-out", d: `M${part.left} ${middle}h${part.length}` }));
  }
}

function drawLease(lane, lease, x, width, middle) {
  const isForEver = lease.to === null;
  const from = x(lease.from);
  const to = isForEver ? Math.max(from + 60, from + width * 0.15) : x(lease.to);
  const bar = (left, right, kind) => {
    const part = clip(left, right, width);
    if (part) {
      // A short one is hidden behind its mark.
      const high = part.length > 4 ? 18 : 6;
      lane.append(draw("rect", {
        class: kind, x: part.left, y: middle - high / 2, width: Math.max(2, part.length), height: high, rx: high / 6,
      }));
    }
  };
  if (isForEver) {
    bar(from, to, "lease for-ever");
    return;
  }
  bar(from, to, "lease");
  // What is open when the capture ends.
  if (view.clock !== "own" && lease.to > DATA.end) {
    bar(Math.max(from, x(DATA.end)), to, "lease-after");
  }
}

function drawAttempt(lane, attempt, x, width, middle) {
  const part = clip(x(attempt.from), attempt.to === null ? width : x(attempt.to), width);
  if (part) {
    const kind = attempt.end ? kindOf(attempt.end).name : "stage";
    lane.append(draw("rect", {
      class: `attempt ${kind}`, x: part.left, y: middle - 2, width: Math.max(1, part.length), height: 4,
    }));
  }
}

/** Events that come so near to one another that they are one mark. */
function marksOf(pair, x, width) {
  const marks = [];
  const line = view.line === "" ? null : Number(view.line);
  for (const event of pair.events) {
    const at = x(event.at);
    if (at < -MARK || at > width + MARK) {
      continue;
    }
    let mark = marks[marks.length - 1];
    if (!mark || at - mark.from >= MARK) {
      mark = { from: at, at, events: [], kind: event.kind, best: event, isDim: line !== null };
      marks.push(mark);
    }
    mark.events.push(event);
    if (event.kind.weight < mark.kind.weight) {
      Object.assign(mark, { at, kind: event.kind, best: event });
    }
    mark.isDim = mark.isDim && !isDecidedBy(event, line);
  }
  for (const mark of marks) {
    // What happens at one moment is one thing to see, however many lines it is.
    mark.moments = new Set(mark.events.map((event) => event.at)).size;
  }
  return marks;
}

function drawMark(mark, middle, isSelectedHere) {
  const classes = ["event", mark.isDim ? "dim" : "", isSelectedHere ? "selected" : ""];
  const drawn = draw("g", {
    class: classes.join(" ").trim(), transform: `translate(${mark.at.toFixed(1)} ${middle})`,
    "data-event": mark.best.index,
  });
  drawn.append(draw("rect", { class: "hit", x: -9, y: -middle, width: 18, height: 2 * middle }));
  if (isSelectedHere) {
    drawn.append(draw("circle", { class: "ring", r: 12 }));
  }
  drawn.append(draw("path", { class: `mark ${mark.kind.name}`, d: SHAPES[mark.kind.name] }));
  if (mark.moments === 1 && mark.kind.name === "stage") {
    drawn.append(draw("text", { class: "digit", y: 3.5 }, String(mark.best.stage)));
  }
  return drawn;
}

/** Into how many parts the program cuts the time for clients without a row. */
const PARTS = 240;

/**
 * Draws the row of a group: how much happens when, and where doors open. Where not all clients have a row,
 * the bars count clients, where they came first, and those without a row are pale.
 */
function drawGroupLane(lane, group, scale, height, causes) {
  const bin = 4;
  const bins = Math.ceil(scale.width / bin);
  const [counts, rest, openings] = [new Float64Array(bins), new Float64Array(bins), new Float64Array(bins)];
  const isCut = causes.some((cause) => cause.unlisted > 0);
  const add = (list, x) => {
    const place = Math.floor(x / bin);
    if (place >= 0 && place < bins) {
      list[place] += 1;
    }
  };
  for (const pair of group.pairs) {
    const x = (at) => scale.x(at - originOf(pair));
    if (isCut) {
      add(counts, x(pair.first));
    } else {
      pair.events.forEach((event) => add(counts, x(event.at)));
    }
    pair.leases.forEach((lease) => add(openings, x(lease.from)));
  }
  for (const cause of causes) {
    addUnlisted(cause, scale, bin, { rest, openings });
  }
  const most = Math.max(1, ...counts.map((count, place) => count + rest[place]));
  lane.replaceChildren();
  if (view.clock !== "own") {
    after(lane, scale.x(DATA.end), scale.width, height);
  }
  const [pale, solid, stars] = [[], [], []];
  // A single event must be seen beside thousands.
  const high = (count) => 3 + (height - 12) * Math.sqrt(count / most);
  for (let place = 0; place < bins; place += 1) {
    const bar = (count) => `M${place * bin} ${height}h${bin - 1}v${-high(count)}h${-(bin - 1)}Z`;
    if (rest[place] > 0) {
      pale.push(bar(counts[place] + rest[place]));
    }
    if (counts[place] > 0) {
      solid.push(bar(counts[place]));
    }
    if (openings[place] > 0) {
      stars.push(`M${place * bin} 1h${bin - 1}v5h${-(bin - 1)}Z`);
    }
  }
  lane.append(
    draw("path", { class: "density-rest", d: pale.join("") }),
    draw("path", { class: "density", d: solid.join("") }),
    draw("path", { class: "density-opened", d: stars.join("") }));
}

/** Adds the clients of a group that have no row, each part of the time spread over its pixels. */
function addUnlisted(cause, scale, bin, { rest, openings }) {
  const length = Math.max(DATA.end, 1) / PARTS;
  for (const [part, count] of cause.rest) {
    const [from, to] = [scale.x(part * length), scale.x((part + 1) * length)];
    const first = Math.max(0, Math.floor(from / bin));
    const last = Math.min(rest.length - 1, Math.floor(to / bin));
    for (let place = first; place <= last; place += 1) {
      const share = (Math.min(to, (place + 1) * bin) - Math.max(from, place * bin)) / (to - from);
      rest[place] += count * share;
      openings[place] += cause.outcome === "opened" ? count * share : 0;
    }
  }
}
