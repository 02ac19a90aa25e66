// Times: nanoseconds since the first packet, as text and as marks of an axis.

const SECOND = 1e9;
const START = BigInt(DATA.start);

/** The moment as `2023-11-14 22:13:20.123`, with as many digits of the second as are asked for. */
function utc(at, digits = 3) {
  const nanos = START + BigInt(Math.round(at));
  const second = 1000000000n;
  let whole = nanos / second;
  let rest = nanos % second;
  if (rest < 0n) {
    whole -= 1n;
    rest += second;
  }
  const date = new Date(Number(whole) * 1000).toISOString().slice(0, 19).replace("T", " ");
  const fraction = rest.toString().padStart(9, "0").slice(0, digits);
  return digits > 0 ? `${date}.${fraction}` : date;
}

/** Whether what is shown happened on more than one day, so that times need their dates. */
const HAS_DAYS = utc(0, 0).slice(0, 10) !== utc(LAST, 0).slice(0, 10);

/** The time of day, with the day of the year if there are several. */
function timeOfDay(at) {
  return utc(at, 3).slice(HAS_DAYS ? 5 : 11);
}

/** Seconds with as many digits as matter, at least three. */
function seconds(nanos) {
  const whole = Math.floor(nanos / SECOND);
  const fraction = Math.round(nanos - whole * SECOND).toString().padStart(9, "0");
  const digits = Math.max(3, fraction.replace(/0+$/, "").length);
  return `${number(whole)}.${fraction.slice(0, digits)} s`;
}

/** A length of time as people say it. */
function duration(nanos) {
  const all = nanos / SECOND;
  if (all < 120) {
    return `${+all.toPrecision(3)} s`;
  }
  if (all < 7200) {
    return `${+(all / 60).toPrecision(3)} min`;
  }
  return all < 172800 ? `${+(all / 3600).toPrecision(3)} h` : `${+(all / 86400).toPrecision(3)} days`;
}

const STEPS = (() => {
  const steps = [];
  for (let power = 0; power <= 9; power += 1) {
    steps.push(10 ** power, 2 * 10 ** power, 5 * 10 ** power);
  }
  for (const more of [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200]) {
    steps.push(more * SECOND);
  }
  for (const days of [1, 2, 7, 14, 28, 91, 182, 365]) {
    steps.push(days * 86400 * SECOND);
  }
  for (let years = 2; years < 1000; years *= 2) {
    steps.push(years * 365 * 86400 * SECOND);
  }
  return steps;
})();

/** The marks of an axis from one moment to another, at most so many, and the step between them. */
function ticks(from, to, most, isUtc) {
  const least = (to - from) / Math.max(1, most);
  const step = STEPS.find((one) => one >= least) || STEPS[STEPS.length - 1];
  const phase = isUtc ? Number(START % BigInt(step)) : 0;
  const list = [];
  const first = Math.ceil((from + phase) / step) * step - phase;
  // Counted, as adding a small step to a large number may add nothing.
  for (let at = first; at <= to && list.length <= 1000; at = first + list.length * step) {
    list.push(at);
  }
  return { list, step };
}

/** The text at a mark of the axis. */
function tickText(at, step, isUtc) {
  if (isUtc) {
    if (step >= 86400 * SECOND) {
      return utc(at, 0).slice(0, 10);
    }
    if (step >= 60 * SECOND) {
      return utc(at, 0).slice(11, 16);
    }
    return utc(at, digitsOf(step)).slice(11);
  }
  const sign = at < 0 ? "−" : "";
  const all = Math.abs(at) / SECOND;
  if (step >= 86400 * SECOND) {
    return `${sign}${+(all / 86400).toFixed(1)} d`;
  }
  if (step >= 3600 * SECOND) {
    return `${sign}${+(all / 3600).toFixed(1)} h`;
  }
  if (step >= 60 * SECOND) {
    return `${sign}${Math.round(all / 60)} min`;
  }
  return `${sign}${all.toFixed(digitsOf(step))} s`;
}

function digitsOf(step) {
  return Math.max(0, Math.min(9, Math.ceil(-Math.log10(step / SECOND) - 1e-9)));
}
