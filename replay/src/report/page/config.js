// The configuration, with the lines marked that decided something.

const code = byId("code");

/** How many events each line decided. */
function countLines() {
  const counts = new Map();
  for (const pair of PAIRS) {
    for (const event of pair.events) {
      for (const place of event.lines) {
        const { line, in_config } = DATA.lines[place];
        if (in_config) {
          counts.set(line, (counts.get(line) || 0) + 1 + event.more);
        }
      }
    }
  }
  return counts;
}

function drawConfig() {
  const counts = countLines();
  const most = Math.max(1, ...counts.values());
  const { lines, left_out: leftOut } = DATA.config;
  // Browsers skip what is off the screen, piece by piece.
  const length = 200;
  for (let first = 0; first < lines.length; first += length) {
    const texts = lines.slice(first, first + length);
    const piece = make("div", { class: lines.length > length ? "piece" : null }, ...texts.map((text, place) =>
      lineRow(first + place + 1, text, counts.get(first + place + 1) || 0, most)));
    piece.style.containIntrinsicSize = `auto ${texts.length * 22}px`;
    code.append(piece);
  }
  const more = leftOut > 0 ? ` ${counted(leftOut, "more line")} not shown.` : "";
  byId("config-note").textContent = counts.size === 0
    ? `No line of ${DATA.config.name} decided anything.${more}`
    : `${DATA.config.name}: before a line that decided something is the number of events in the timeline that it decided; press it to see only those.${more}`;
}

function lineRow(number_, text, count, most) {
  const mark = count > 0
    ? make("button", {
      type: "button", class: "hits", "aria-pressed": "false", "data-line": number_,
      "aria-label": `line ${number_} decided ${counted(count, "event")}; show only these`,
      onclick: () => filterBy(number_),
    }, number(count))
    : make("span", { class: "hits none" });
  const row = make("div", { class: count > 0 ? "line hit" : "line", id: `line-${number_}` },
    mark, make("span", { class: "no" }, String(number_)), make("span", { class: "text" }, text));
  if (count > 0) {
    row.style.setProperty("--heat", `${Math.round(20 + 80 * Math.sqrt(count / most))}%`);
  }
  return row;
}

/** Shows only what a line decided, or everything again. */
function filterBy(line) {
  view.line = view.line === String(line) ? "" : String(line);
  changed();
  if (view.line !== "") {
    byId("timeline").scrollIntoView();
  }
}

/** A link to a line; where it leads is no part of the view. */
function lineLink(line, text) {
  const show = (event) => {
    event.preventDefault();
    showLine(line);
  };
  return make("a", { href: "#config", class: "place", onclick: show }, text);
}

/** Scrolls to a line, and shows which it is. */
function showLine(line) {
  const row = byId(`line-${line}`);
  if (!row) {
    return;
  }
  for (const shown of code.querySelectorAll(".found")) {
    shown.classList.remove("found");
  }
  row.classList.add("found");
  row.scrollIntoView({ block: "center" });
  code.focus({ preventScroll: true });
}

function drawLineFilter() {
  for (const mark of code.querySelectorAll("button.hits")) {
    mark.setAttribute("aria-pressed", String(mark.dataset.line === view.line));
  }
  const filter = byId("line-filter");
  filter.hidden = view.line === "";
  if (view.line !== "") {
    const text = (DATA.config.lines[Number(view.line) - 1] || "").trim();
    filter.replaceChildren("Only what line ", make("strong", {}, view.line), " decided: ", make("code", {}, text), " ",
      make("button", { type: "button", onclick: () => filterBy(view.line) }, "Show all again"));
  }
}
