// Who got in: the table at the top, which is there without this script as far as it is short.

const openings = byId("openings");

/** How many more rows are shown at a time. */
const MORE = 500;

/** What is shown of the table: what was searched, and how many rows. */
const shownOpenings = { q: "", rows: 0 };

const WITH_ROW = new Set(PAIRS.map((pair) => `${pair.client} ${pair.door.index}`));

/** A row, as `opening` of summary.rs writes it. */
function openingRow([client, place, times, first, last, closed]) {
  const door = DOORS[place];
  const hasRow = WITH_ROW.has(`${client} ${place}`);
  const encoded = (text) => encodeURIComponent(text).replaceAll("'", "%27");
  const link = `#client=${encoded(client)}&door=${encoded(door.key)}`;
  const often = times > 1 ? make("span", { class: "often" }, `${counted(times, "time")}, last ${utc(last, 0)}`) : null;
  const until = (how, at) => [how, " ", make("span", { class: "often" }, at)];
  let [kind, cell] = ["until", until("closed", utc(closed || 0, 0))];
  if (closed === null) {
    [kind, cell] = ["until stays", until("stays open", "no stop command")];
  } else if (closed > DATA.end) {
    [kind, cell] = ["until later", until("open at the end", `until ${utc(closed, 0)}`)];
  }
  return make("tr", {},
    make("td", { class: "client" }, hasRow ? make("a", { href: link }, client) : client),
    make("td", { class: "door" }, door.name),
    make("td", { class: "when" }, utc(first, 0), often ? " " : null, often),
    make("td", { class: kind }, ...cell));
}

function drawOpenings() {
  const word = shownOpenings.q.trim().toLowerCase();
  const found = DATA.openings.filter(([client, door]) =>
    word === "" || client.includes(word) || DOORS[door].name.toLowerCase().includes(word));
  const rows_ = found.slice(0, shownOpenings.rows).map(openingRow);
  openings.tBodies[0].replaceChildren(...rows_);
  const left = found.length - rows_.length;
  byId("openings-rest").replaceChildren(...present([
    found.length === 0 ? "Nobody of this name got in." : null,
    left > 0 ? `and ${number(left)} more ` : null,
    left > 0 ? make("button", { type: "button", onclick: () => { shownOpenings.rows += MORE; drawOpenings(); } }, "Show more") : null,
  ]));
}

/** Makes the table one to search, if it is long. */
function setUpOpenings() {
  shownOpenings.rows = openings ? openings.tBodies[0].rows.length : 0;
  if (DATA.openings.length <= 10) {
    return;
  }
  const search = make("input", {
    type: "search", id: "openings-search", placeholder: "address or door", autocomplete: "off", spellcheck: "false",
  });
  search.addEventListener("input", () => {
    shownOpenings.q = search.value;
    drawOpenings();
  });
  byId("openings-tools").append(make("label", {}, "Did this one get in?", search));
  drawOpenings();
}
