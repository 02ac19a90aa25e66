"use strict";

// What knock-replay wrote, as objects. Nothing is judged here: what happened, and how near a client came,
// is what the program says.

document.documentElement.classList.remove("plain");

const DATA = JSON.parse(document.getElementById("data").textContent);

/** What can be drawn, the weightiest first: of several things in one place, that one is seen. */
const KINDS = [
  { name: "opened", label: "opened" },
  { name: "dropped", label: "dropped or refused" },
  { name: "void", label: "void: wrong knock" },
  { name: "late", label: "came too late" },
  { name: "timeout", label: "sequence timeout" },
  { name: "closed", label: "closed: stop command, or admission ended" },
  { name: "stage", label: "knock that counted; the numeral says how many are made" },
  { name: "command", label: "start command, or admitted" },
  { name: "retransmission", label: "retransmission, ignored" },
  { name: "ignored", label: "not heard, or not the first knock" },
];
KINDS.forEach((kind, weight) => { kind.weight = weight; });

const KIND_NAMES = {
  "opened": "opened",
  "stage": "stage",
  "signed": "stage",
  "start-command": "command",
  "admitted": "command",
  "admission-ended": "closed",
  "closing": "closed",
  "one-time-used": "command",
  "stop-command": "closed",
  "command-timeout": "closed",
  "sequence-timeout": "timeout",
  "void": "void",
  "voided-often": "void",
  "late": "late",
  "retransmission": "retransmission",
  "refused": "dropped",
  "evicted": "dropped",
  "sequence-changed": "dropped",
  "door-changed": "dropped",
  "disabled": "dropped",
};

function kindOf(verdict) {
  const name = KIND_NAMES[verdict] || "ignored";
  return KINDS.find((kind) => kind.name === name);
}

const VERDICTS = DATA.verdicts.map(([name, stage]) => ({ name, stage, kind: kindOf(name) }));

const OUTCOMES = [
  { name: "opened", label: "opened", kind: "opened" },
  { name: "near", label: "came near", kind: "timeout" },
  { name: "never", label: "no first knock", kind: "ignored" },
  { name: "elsewhere", label: "counted at another door", kind: "retransmission" },
];

/** Doors, each with a name of its own to link to. */
const DOORS = (() => {
  const names = new Set();
  return DATA.doors.map((door, index) => {
    const key = names.has(door.name) ? `${door.name}#${index + 1}` : door.name;
    names.add(door.name);
    return { ...door, index, key };
  });
})();

/** Clients at doors that came to the same, with how many of them have no row. */
const CAUSES = DATA.groups.map((raw, index) => {
  const rest = Object.entries(raw.rest).map(([part, count]) => [Number(part), count]);
  const unlisted = rest.reduce((sum, [, count]) => sum + count, 0);
  return { ...raw, index, door: DOORS[raw.door], rest, unlisted };
});

/** An event; see `EventRow` of data.rs. */
function eventOf([at, verdict, text, attempt, lines, more, capture, number, shape], index) {
  const [knock, flags, destination, vlan] = shape === undefined ? [] : DATA.shapes[shape];
  return {
    index,
    at,
    stage: VERDICTS[verdict].stage,
    kind: VERDICTS[verdict].kind,
    text,
    attempt,
    lines: DATA.line_sets[lines],
    more,
    packet: number === undefined ? null : { capture, number, knock, flags, destination, vlan },
  };
}

function spanOf([from, to, end]) {
  return { from, to, end: VERDICTS[end].name };
}

const PAIRS = DATA.pairs.map((raw, index) => {
  const events = raw.events.map(eventOf);
  const leases = raw.leases.map(spanOf);
  const attempts = raw.attempts.map(spanOf);
  const ends = [...leases, ...attempts].map((span) => span.to || span.from);
  const times = events.map((event) => event.at);
  const first = [...times.slice(0, 1), ...(raw.left_out_times || []), 0][0];
  const cause = CAUSES[raw.group];
  return {
    ...raw,
    index,
    door: DOORS[raw.door],
    cause,
    outcome: cause.outcome,
    events,
    leases,
    attempts,
    near_lines: DATA.line_sets[raw.near_lines],
    address: addressKey(raw.client),
    first,
    last: Math.max(first, ...ends, ...times.slice(-1), ...(raw.left_out_times || [])),
  };
});

/** The time of the last event shown: commands time out after the last packet. */
const LAST = PAIRS.reduce((last, pair) => Math.max(last, pair.last), Math.max(DATA.end, DATA.whole[1]));
const FIRST = Math.min(0, DATA.whole[0]);

/** An address as digits of the same number, for sorting and for its network. */
function addressKey(text) {
  const hex = (number, digits) => number.toString(16).padStart(digits, "0");
  const v4 = (dotted) => dotted.split(".").map((byte) => hex(Number(byte), 2)).join("");
  if (!text.includes(":")) {
    return "4" + v4(text);
  }
  let address = text;
  const dotted = address.match(/\d+\.\d+\.\d+\.\d+$/);
  if (dotted) {
    const digits = v4(dotted[0]);
    address = address.slice(0, dotted.index) + digits.slice(0, 4) + ":" + digits.slice(4);
  }
  const [head, tail] = address.split("::").map((half) => half.split(":").filter(Boolean));
  const rest = tail || [];
  const zeros = Array(Math.max(0, 8 - head.length - rest.length)).fill("0");
  return "6" + [...head, ...zeros, ...rest].map((group) => group.padStart(4, "0")).join("");
}

/** The network of an address: the first 24 bits of IPv4, the first 64 of IPv6. */
function networkOf(key) {
  if (key[0] === "4") {
    const bytes = key.slice(1, 7).match(/../g).map((byte) => parseInt(byte, 16));
    return bytes.join(".") + ".0/24";
  }
  const groups = key.slice(1, 17).match(/..../g).map((group) => parseInt(group, 16).toString(16));
  return groups.join(":") + "::/64";
}

/** 1 packet, 2 packets, 1,234 packets. */
function counted(count, one, many = one + "s") {
  return `${number(count)} ${count === 1 ? one : many}`;
}

function number(count) {
  return count.toLocaleString("en-US");
}

/** What a pair came to, in a few words. */
function shortOutcome(pair) {
  if (pair.outcome === "opened") {
    return pair.openings === 1 ? "opened" : `opened ${number(pair.openings)} times`;
  }
  if (pair.outcome === "near") {
    return `stage ${pair.stage} of ${pair.of}`;
  }
  if (pair.outcome === "elsewhere") {
    return "elsewhere";
  }
  return OUTCOMES.find((outcome) => outcome.name === pair.outcome).label;
}

/**
 * Makes an element. Text is always text: nothing that comes from captures and configurations is ever read
 * as HTML.
 */
function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") {
      element.addEventListener("click", value);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...present(children));
  return element;
}

/** Children that are there. */
function present(children) {
  return children.flat().filter((child) => child !== null && child !== undefined);
}

function byId(id) {
  return document.getElementById(id);
}
