// Everything together.

/** Draws what depends on the view, and keeps the view. */
function changed() {
  const { theme } = view;
  if (theme === "") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
  drawControls();
  drawLineFilter();
  drawCauseFilter();
  drawTimeline();
  drawDetails();
  writeView();
}

/** Says which group of the summary is shown. */
function drawCauseFilter() {
  const cause = selectedCause();
  const filter = byId("cause-filter");
  filter.hidden = cause === null;
  if (cause) {
    const count = cause.unlisted > 0
      ? `${counted(cause.pairs, "client")}, rows of the first ${number(cause.pairs - cause.unlisted)}`
      : counted(cause.pairs, "client");
    filter.replaceChildren("Only ", make("strong", {}, causeName(cause)), ` (${count}) `,
      make("button", { type: "button", onclick: () => { view.cause = ""; changed(); } }, "Show all again"));
  }
}

const waiting = { frame: 0, timer: 0 };

/** Draws what depends on the time that is shown: often, while the pointer moves. */
function moved() {
  tip.hidden = true;
  cancelAnimationFrame(waiting.frame);
  waiting.frame = requestAnimationFrame(view.within === "" ? () => drawRows() : drawTimeline);
  clearTimeout(waiting.timer);
  waiting.timer = setTimeout(writeView, 150);
}

function drawControls() {
  for (const name of ["group", "sort", "clock", "theme"]) {
    byId(name).value = view[name];
  }
  if (document.activeElement !== byId("search")) {
    byId("search").value = view.q;
  }
  byId("within").checked = view.within !== "";
  const show = view.show.split(" ");
  for (const box of byId("outcomes").querySelectorAll("input")) {
    box.checked = show.includes(box.value);
  }
  document.querySelector('[data-do="row"]').disabled = selectedPair() === null;
}

function drawLegend() {
  const entry = (picture, text) => make("li", {}, picture, text);
  const swatch = (kind) => make("span", { class: `swatch ${kind}` });
  const isCut = CAUSES.some((cause) => cause.unlisted > 0);
  byId("marks").append(
    ...KINDS.map((kind) => entry(symbol(kind.name), kind.label)),
    entry(make("strong", {}, "×3"), "3 moments so near that they are one mark: zoom in"),
    entry(pips(2, 3), "2 of 3 knocks made, at most"),
    entry(swatch("lease"), "door open"),
    entry(swatch("for-ever"), "opened, and no stop command"),
    entry(swatch("after"), "after the last packet"),
    entry(swatch("bars"), isCut ? "how many clients came first there" : "how much happens there; green: openings"),
    ...present([
      isCut ? entry(swatch("pale"), "those of them without a row; green: openings") : null,
      DATA.counts.left_out_events > 0 ? entry(swatch("left-out-swatch"), "events that are not shown") : null,
    ]));
}

function setUp() {
  for (const outcome of OUTCOMES) {
    const causes = CAUSES.filter((cause) => cause.outcome === outcome.name);
    const count = causes.reduce((sum, cause) => sum + cause.pairs, 0);
    const box = make("input", { type: "checkbox", value: outcome.name });
    const label = make("label", { class: count === 0 ? "zero" : null }, box, symbol(outcome.kind, 16), `${outcome.label} (${number(count)})`);
    box.addEventListener("change", () => {
      const boxes = [...byId("outcomes").querySelectorAll("input")];
      view.show = boxes.filter((one) => one.checked).map((one) => one.value).join(" ");
      changed();
    });
    byId("outcomes").append(label);
  }
  drawLegend();
  for (const name of ["group", "sort", "clock", "theme"]) {
    byId(name).addEventListener("change", () => {
      if (name === "clock" && (view.clock === "own") !== (byId(name).value === "own")) {
        view.from = "";
        view.to = "";
      }
      view[name] = byId(name).value;
      changed();
    });
  }
  byId("within").addEventListener("change", () => {
    view.within = byId("within").checked ? "1" : "";
    changed();
  });
  byId("search").addEventListener("input", () => {
    view.q = byId("search").value;
    changed();
  });
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => act(button.dataset.do));
  }
}

function start() {
  readView();
  const pair = selectedPair();
  if (pair) {
    unfold(pair);
  }
  changed();
  const place = timeline.items.findIndex((one) => pair && one.pair === pair);
  if (place >= 0) {
    reveal(place, true);
    drawRows();
  }
  if (place >= 0 || selectedCause()) {
    byId("timeline").scrollIntoView();
  }
}

setUpOpenings();
drawConfig();
setUp();
start();
window.addEventListener("hashchange", start);
window.addEventListener("resize", drawTimeline);
window.addEventListener("beforeprint", () => {
  const most = 200;
  paper.isDrawn = true;
  drawTimeline();
  list.style.height = "auto";
  drawRows(most);
  rows.style.height = `${timeline.tops[Math.min(most, timeline.items.length)]}px`;
});
window.addEventListener("afterprint", () => {
  paper.isDrawn = false;
  drawTimeline();
});
