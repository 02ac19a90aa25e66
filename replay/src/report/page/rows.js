// Which clients at which doors are shown, and in which order.

/** The groups that are open or closed against what they are at first. */
const folded = new Map();

/** Returns the pairs that are wanted. */
function wanted() {
  const show = view.show.split(" ");
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean).map(matcher);
  const line = view.line === "" ? null : Number(view.line);
  const cause = selectedCause();
  const { from, to } = shownTime();
  const isWithin = (pair) => pair.first - originOf(pair) <= to && pair.last - originOf(pair) >= from;
  return PAIRS.filter((pair) => {
    if (view.within !== "" && !isWithin(pair)) {
      return false;
    }
    if (cause !== null && pair.cause !== cause) {
      return false;
    }
    // What a line decided may be hidden for another reason.
    const outcomeWanted = show.includes(pair.outcome) || isSelected(pair) || line !== null || cause !== null;
    return outcomeWanted && words.every((matches) => matches(pair)) && (line === null || decidedBy(pair, line));
  });
}

function isSelected(pair) {
  return pair.client === view.client && pair.door.key === view.door;
}

/** The texts in small letters, when they are first searched. */
let smallTexts = null;

const CLIENTS = new Set(PAIRS.map((pair) => pair.client));

/**
 * Returns what tells whether a pair has a word: in its address, its door, or what happened. A whole address
 * is that client only.
 */
function matcher(word) {
  if (CLIENTS.has(word)) {
    return (pair) => pair.client === word;
  }
  const texts = new Set();
  smallTexts = smallTexts || DATA.texts.map((text) => text.toLowerCase());
  smallTexts.forEach((text, place) => {
    if (text.includes(word)) {
      texts.add(place);
    }
  });
  return (pair) => pair.client.includes(word)
    || pair.door.name.toLowerCase().includes(word)
    || pair.near.toLowerCase().includes(word)
    || pair.events.some((event) => texts.has(event.text));
}

/** Whether a line of the configuration decided something of a pair. */
function decidedBy(pair, number) {
  return pair.events.some((event) => isDecidedBy(event, number));
}

function isDecidedBy(event, number) {
  return event.lines.some((line) => DATA.lines[line].in_config && DATA.lines[line].line === number);
}

/** How much of the sequence was made by who did not get in. */
function nearness(pair) {
  return pair.outcome === "opened" ? 0 : pair.stage / (pair.of || 1);
}

const ORDERS = {
  time: (a, b) => a.first - b.first,
  near: (a, b) => nearness(b) - nearness(a) || b.attempt_count - a.attempt_count,
  openings: (a, b) => b.openings - a.openings,
  address: (a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0),
};

function outcomeOf(pair) {
  return OUTCOMES.findIndex((outcome) => outcome.name === pair.outcome);
}

/** How pairs are parted: the key and the name of the group of a pair, and whether keys are sorted. */
const GROUPS = {
  none: null,
  door: (pair) => [String(pair.door.index).padStart(5, "0"), pair.door.name],
  outcome: (pair) => [String(outcomeOf(pair)), OUTCOMES[outcomeOf(pair)].label],
  cause: (pair) => [String(pair.cause.index).padStart(6, "0"), causeName(pair.cause)],
  client: (pair) => [pair.address, pair.client],
  network: (pair) => [pair.address.slice(0, pair.address[0] === "4" ? 7 : 17), networkOf(pair.address)],
};

/** The group of the summary that is selected. */
function selectedCause() {
  return (view.cause !== "" && CAUSES[Number(view.cause)]) || null;
}

function causeName(cause) {
  const why = cause.outcome === "near" || cause.outcome === "never" ? cause.why : OUTCOMES.find((one) => one.name === cause.outcome).label;
  return `${cause.door.name}: ${why}`;
}

/** Whether only what the summary counts is chosen, so that clients without a row can be shown, too. */
function isPlain() {
  return view.q === "" && view.line === "" && view.within === "" && view.clock !== "own";
}

/** The groups of the summary of which all rows are shown, and whose clients without a row are drawn. */
function causesShown() {
  const show = view.show.split(" ");
  const cause = selectedCause();
  return isPlain() ? CAUSES.filter((one) => (cause === null ? show.includes(one.outcome) : one === cause)) : [];
}

/** Those of them that make up a group of rows. */
function causesOf(group) {
  const shown = causesShown();
  if (view.group === "cause") {
    return shown.filter((one) => one === group.pairs[0].cause);
  }
  if (view.group === "door") {
    return shown.filter((one) => one.door === group.pairs[0].door);
  }
  return view.group === "outcome" ? shown.filter((one) => one.outcome === group.pairs[0].outcome) : [];
}

/** Returns the rows that are shown: groups, and the pairs of those that are open. */
function layOut() {
  const pairs = wanted().sort((a, b) => ORDERS[view.sort](a, b) || a.index - b.index);
  const groupOf = GROUPS[view.group];
  if (!groupOf) {
    return { pairs, groups: [], items: pairs.map((pair, at) => item(pair, null, at, pairs.length)) };
  }
  const groups = new Map();
  for (const pair of pairs) {
    const [key, name] = groupOf(pair);
    if (!groups.has(key)) {
      groups.set(key, { key: `${view.group} ${key}`, name, pairs: [] });
    }
    groups.get(key).pairs.push(pair);
  }
  const list = [...groups.keys()].sort().map((key) => groups.get(key));
  const items = [];
  list.forEach((group, at) => {
    group.isOpen = folded.has(group.key) ? folded.get(group.key) : pairs.length <= MANY || list.length === 1;
    items.push({ id: `group-${at}`, group, at, of: list.length });
    if (group.isOpen) {
      group.pairs.forEach((pair, place) => items.push(item(pair, group, place, group.pairs.length)));
    }
  });
  return { pairs, groups: list, items };
}

function item(pair, parent, at, of) {
  return { id: `pair-${pair.index}`, pair, parent, at, of };
}

/** Opens the group of a pair. */
function unfold(pair) {
  const groupOf = GROUPS[view.group];
  if (groupOf) {
    folded.set(`${view.group} ${groupOf(pair)[0]}`, true);
  }
}
