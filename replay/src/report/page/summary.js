// What there is to know at once.

function drawSummary() {
  const captures = DATA.captures.length > 3
    ? `${DATA.captures.slice(0, 3).join(", ")} and ${DATA.captures.length - 3} more`
    : DATA.captures.join(", ");
  document.title = `knock-replay: ${DATA.captures[0] || DATA.config.name}`;
  byId("subtitle").textContent = `${captures || "no capture"}, replayed against ${DATA.config.name} by the rules of knock`;
  const covers = DATA.counts.packets > 0 ? `${utc(0, 0)} to ${utc(DATA.end, 0)} UTC, ${duration(DATA.end)}; ` : "";
  byId("covers").textContent = covers + DATA.addresses;
  byId("headline").append(...headline());
  const alerts = [
    ...DATA.errors.map((text) => ["error", text]),
    ...DATA.warnings.map((text) => ["warning", text.replace("warning: ", "")]),
    ...leftOut().map((text) => ["not everything is shown", text]),
  ];
  byId("alerts").append(...alerts.map(([kind, text]) =>
    make("p", { class: "alert" }, make("strong", {}, `${kind}: `), text)));
  drawTiles();
  drawDoors();
  drawFacts();
}

function clientsWith(outcome) {
  return new Set(PAIRS.filter((pair) => pair.outcome === outcome).map((pair) => pair.client)).size;
}

function headline() {
  const { opened, left_out_packets: unknown } = DATA.counts;
  const least = unknown > 0 ? "at least " : "";
  const doors = new Set(PAIRS.filter((pair) => pair.openings > 0).map((pair) => pair.door)).size;
  const near = clientsWith("near");
  const parts = [];
  if (opened === 0) {
    parts.push(make("strong", {}, "No door opened."));
  } else {
    const at = doors === 1 ? " at one door" : ` at ${counted(doors, "door")}`;
    parts.push(make("strong", {}, `${counted(opened, "opening")}${at}, for ${least}${counted(clientsWith("opened"), "client")}.`));
  }
  if (near > 0) {
    parts.push(` ${unknown > 0 ? "At least " : ""}${counted(near, "client")} came near at a door and did not get in.`);
  }
  return parts;
}

/** What is not on the page. */
function leftOut() {
  const { left_out_packets: packets, left_out_events: events, opened } = DATA.counts;
  const shown = PAIRS.reduce((sum, pair) => sum + pair.openings, 0);
  const list = [];
  if (packets > 0) {
    list.push(`${counted(packets, "packet")} of further clients; name one of them: 'knock-replay explain --client CLIENT'`);
  }
  if (opened > shown) {
    list.push(`${counted(opened - shown, "opening")} of further clients; the transcript has them all`);
  }
  if (events > 0) {
    list.push(`${counted(events, "more event")} of the clients below; each row says how many`);
  }
  return list;
}

function drawTiles() {
  const { counts } = DATA;
  const tiles = [
    [counts.packets, "packets read"],
    [counts.admitted, "admitted"],
    [counts.attempts, "attempts"],
    [counts.opened, "openings"],
    [counts.timed_out, "timed out"],
    [counts.voided, "void"],
    [counts.retransmissions, "retransmissions"],
    [counts.undecodable, "undecodable"],
  ];
  byId("tiles").append(...tiles.map(([count, what]) =>
    make("li", { class: count === 0 ? "zero" : null }, make("strong", {}, number(count)), make("span", {}, what))));
}

/** How many doors have a card. */
const CARDS = 12;

function drawDoors() {
  const here = PAIRS.filter((pair) => pair.outcome !== "elsewhere");
  const byDoor = new Map();
  for (const pair of here) {
    if (!byDoor.has(pair.door)) {
      byDoor.set(pair.door, []);
    }
    byDoor.get(pair.door).push(pair);
  }
  const busy = DOORS.filter((door) => byDoor.has(door));
  byId("doors").append(...busy.slice(0, CARDS).map((door) => doorCard(door, byDoor.get(door))));
  const idle = DOORS.filter((door) => !byDoor.has(door)).map((door) => door.name);
  const notes = [];
  if (busy.length > CARDS) {
    notes.push(`${counted(busy.length - CARDS, "more door")} in the timeline.`);
  }
  if (idle.length > 0) {
    const rest = idle.length > CARDS ? ` and ${counted(idle.length - CARDS, "more")}` : "";
    notes.push(`No client knocked at ${idle.slice(0, CARDS).join(", ")}${rest}.`);
  }
  byId("idle-doors").textContent = notes.join(" ");
}

function doorCard(door, pairs) {
  const count = (outcome) => pairs.filter((pair) => pair.outcome === outcome).length;
  const openings = pairs.reduce((sum, pair) => sum + pair.openings, 0);
  const shares = OUTCOMES.slice(0, 3).map((outcome) => [outcome, count(outcome.name)]).filter(([, clients]) => clients > 0);
  const bar = make("div", { class: "shares", "aria-hidden": "true" }, ...shares.map(([outcome, clients]) => {
    const part = make("span", { class: outcome.name });
    part.style.flexGrow = String(clients);
    return part;
  }));
  const near = count("near");
  const more = near - door.near.length;
  const target = door.target ? ` to ${door.target}` : "";
  const knocks = door.knocks ? door.knocks.join(" → ") : "one-time sequences";
  return make("article", { class: "card" },
    make("h3", {}, door.line === null ? door.name : lineLink(door.line, door.name)),
    make("p", { class: "knocks" }, `${knocks}${target} within ${number(door.seq_timeout)} s`),
    bar,
    make("ul", { class: "shares-text" }, ...shares.map(([outcome, clients]) =>
      make("li", {}, symbol(outcome.kind, 16), ` ${counted(clients, "client")} ${outcome.did}`,
        outcome.name === "opened" && openings > clients ? ` (${counted(openings, "time")})` : ""))),
    near > 0 ? make("p", { class: "quiet" }, "Nearest without getting in:") : null,
    near > 0 ? make("ul", { class: "nearest" }, ...door.near.map((place) =>
      make("li", {}, make("button", { type: "button", class: "link", onclick: () => goTo(PAIRS[place], null) }, PAIRS[place].near)))) : null,
    more > 0 ? make("p", { class: "quiet" }, `and ${counted(more, "more client")}`) : null);
}

function drawFacts() {
  byId("read").open = DATA.counts.undecodable > 0;
  const facts = [
    ...DATA.summary,
    ...DATA.remarks.map((text) => text.trim()),
    DATA.captures.length > 1 ? `captures: ${DATA.captures.join(", ")}` : null,
    "rules: those of knock",
    `written by ${DATA.program}`,
  ];
  byId("facts").append(...facts.filter(Boolean).map((text) => make("li", {}, text)));
}
