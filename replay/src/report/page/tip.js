// The text next to the pointer: the explanation of a mark.

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
