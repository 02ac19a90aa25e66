// What is known of the selected client at the selected door.

/** Selects a pair, and an event of it or none. */
function select(pair, event) {
  view.client = pair.client;
  view.door = pair.door.key;
  view.event = event ? String(event.index) : "";
  timeline.active = `pair-${pair.index}`;
  changed();
  if (event) {
    byId("said").textContent = `${packetText(event)} ${DATA.texts[event.text]}`;
  }
}

/** A moment, by the clock that is chosen. */
function clockText(at, pair) {
  if (view.clock === "utc") {
    return timeOfDay(at);
  }
  return seconds(at - originOf(pair));
}

/** The packet of an event as Wireshark counts, with its capture if there are several. */
function packetText({ packet }) {
  if (!packet) {
    return "";
  }
  const of = DATA.captures.length > 1 ? ` of ${DATA.captures[packet.capture]}` : "";
  return `packet ${packet.number}${of}`;
}

/** Redraws the details, and keeps the scroll position and the focus. */
function drawDetails() {
  const details = byId("details");
  const hadFocus = details.contains(document.activeElement) && document.activeElement !== details;
  const of = `${view.client} ${view.door}`;
  const top = details.dataset.of === of ? details.scrollTop : 0;
  details.dataset.of = of;
  fillDetails(details);
  details.scrollTop = top;
  if (hadFocus) {
    (details.querySelector("[aria-current]") || details).focus({ preventScroll: true });
  }
}

function fillDetails(details) {
  const pair = selectedPair();
  if (!pair) {
    details.replaceChildren(make("p", { class: "quiet" },
      "Select a row or an event to see what happened, and why."));
    return;
  }
  const outcome = OUTCOMES[outcomeOf(pair)];
  const event = selectedEvent();
  details.replaceChildren(...present([
    make("h3", {}, make("span", { class: "client" }, pair.client), " at ", make("span", { class: "door" }, pair.door.name)),
    make("p", { class: `outcome ${pair.outcome}` }, symbol(outcome.kind, 18), ` ${shortOutcome(pair)}`,
      make("span", { class: "quiet" }, ` · ${counted(pair.attempt_count, "attempt")}`)),
    make("p", { class: "near" }, sentence(pair.near)),
    lineList(pair.near_lines),
    make("p", { class: "buttons" },
      make("button", { type: "button", onclick: () => act("row") }, "Zoom to this row"),
      make("button", { type: "button", onclick: () => find(pair.client) }, "Only this client")),
    event ? eventBox(pair, event) : null,
    ...eventLists(pair, event),
    ...notes(pair),
  ]));
}

function sentence(text) {
  return text === "" ? "" : text[0].toUpperCase() + text.slice(1) + ".";
}

function find(text) {
  view.q = text;
  byId("search").value = text;
  changed();
}

function notes(pair) {
  const list = [];
  if (pair.left_out > 0) {
    list.push(`${counted(pair.left_out, "more event")} not shown; see 'knock-replay explain --client ${pair.client}'`);
  }
  if (pair.strays > 0) {
    list.push(`${counted(pair.strays, "packet")} of this client to ports of no door`);
  }
  return list.map((text) => make("p", { class: "quiet" }, text));
}

/** Everything about one event. */
function eventBox(pair, event) {
  const facts = [["time", `${utc(event.at, 6)} UTC`], ["since the first packet", seconds(event.at)]];
  const first = pair.events.find((one) => one.attempt === event.attempt && event.attempt > 0);
  if (first && first !== event) {
    facts.push([`since attempt ${event.attempt} began`, seconds(event.at - first.at)]);
  }
  const { packet } = event;
  if (packet) {
    facts.push(["packet", packetText(event).slice("packet ".length)]);
    facts.push(["to", packet.knock || "no port"]);
    facts.push(["flags", packet.flags], ["destination", packet.destination], ["VLAN", packet.vlan]);
  }
  if (event.more > 0) {
    facts.push(["the same again", counted(event.more, "time")]);
  }
  const known = facts.filter(([, value]) => value !== undefined && value !== null);
  return make("div", { class: `box ${event.kind.name}` },
    make("p", { class: "says" }, symbol(event.kind.name, 18), make("span", {}, DATA.texts[event.text])),
    make("dl", {}, ...known.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))])),
    lineList(event.lines));
}

/** Links to lines of the configuration. */
function lineList(lines) {
  if (lines.length === 0) {
    return null;
  }
  return make("ul", { class: "lines" }, ...lines.map((place) => {
    const { file, line, text, default: byDefault, in_config } = DATA.lines[place];
    const name = `${file.split("/").pop()}:${line}`;
    const rest = text === "" ? "a one-time sequence that was not used" : text;
    const shown = in_config ? lineLink(line, name) : make("span", { class: "place" }, name);
    return make("li", {}, shown, " ", make("code", {}, rest), byDefault ? ` (${byDefault})` : "");
  }));
}

/** The events of a pair, attempt by attempt. */
function eventLists(pair, selected) {
  const parts = [];
  for (const event of pair.events) {
    const last = parts[parts.length - 1];
    if (last && last.attempt === event.attempt) {
      last.events.push(event);
    } else {
      parts.push({ attempt: event.attempt, events: [event] });
    }
  }
  return parts.flatMap(({ attempt, events }) => [
    make("h4", {}, attempt > 0 ? `Attempt ${attempt}` : "Outside of attempts"),
    make("ol", { class: "events" }, ...events.map((event) => eventRow(pair, event, event === selected))),
  ]);
}

function eventRow(pair, event, isCurrent) {
  const more = event.more > 0 ? `, and ${counted(event.more, "more like this", "more like this")}` : "";
  const knock = event.packet ? event.packet.knock || "no port" : "";
  const head = [packetText(event), knock].filter(Boolean).join(" · ");
  return make("li", {},
    make("button", { type: "button", class: "event", "aria-current": isCurrent && "true", onclick: () => { select(pair, event); keepInSight(event.at - originOf(pair)); } },
      symbol(event.kind.name, 16),
      make("span", { class: "when" }, clockText(event.at, pair)),
      make("span", { class: "packet" }, head),
      make("span", { class: "says" }, DATA.texts[event.text] + more)));
}
