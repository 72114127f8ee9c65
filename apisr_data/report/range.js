// Two sliders over the histogram of a score.

const sliderSteps = 1000;
const sparkCount = 48;

/**
 * What chooses a score's range, `low` to `high`, null where it is open; null where all frames have one value.
 * `onAsk({ low, high })` is called as a slider moves.
 */
function range(score, low, high, onAsk) {
  const sorted = sortedValues(score);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (!(most > least)) return null;
  const step = (most - least) / sliderSteps;
  const slider = (name, label, value) => {
    const input = el("input", {
      type: "range",
      name,
      min: 0,
      max: sliderSteps,
      "aria-label": `${label} ${words(score.name)}`,
    });
    input.value = Math.round((value - least) / step);
    input.addEventListener("input", () => ask(input));
    return input;
  };
  const lower = slider("low", "least", low ?? least);
  const upper = slider("high", "greatest", high ?? most);
  const told = el("output");
  const sparks = histogram(sorted);

  function tell() {
    const [from, to] = [lower, upper].map(input => number(least + input.value * step));
    told.value = `${from} to ${to}`;
    lower.setAttribute("aria-valuetext", from);
    upper.setAttribute("aria-valuetext", to);
    sparks.style.setProperty("--from", lower.value / sliderSteps);
    sparks.style.setProperty("--to", upper.value / sliderSteps);
  }

  function ask(moved) {
    if (Number(lower.value) > Number(upper.value)) moved.value = moved === lower ? upper.value : lower.value;
    tell();
    onAsk({
      low: Number(lower.value) === 0 ? null : least + lower.value * step,
      high: Number(upper.value) === sliderSteps ? null : least + upper.value * step,
    });
  }

  tell();
  return [el("span", { class: "soft", title: score.meaning }, words(score.name), " ", told), sparks, lower, upper];
}

function histogram(sorted) {
  const [least, most] = [sorted[0], sorted.at(-1)];
  const counts = new Array(sparkCount).fill(0);
  for (const value of sorted)
    counts[Math.min(sparkCount - 1, Math.floor(((value - least) / (most - least)) * sparkCount))]++;
  const top = Math.max(...counts);
  return el(
    "div",
    { class: "sparks", "aria-hidden": "true" },
    counts.map(count => el("i", { style: { height: `${count && 8 + (92 * count) / top}%` } })),
  );
}

const sortedScores = new Map();

/** The values of a score in rising order, without the absent ones; sorted once. */
function sortedValues(score) {
  if (!sortedScores.has(score.name)) {
    sortedScores.set(score.name, Float64Array.from(score.values.filter(value => value !== null)).sort());
  }
  return sortedScores.get(score.name);
}

/** The share of frames that have less of a score than `value`. */
function shareBelow(score, value) {
  const sorted = sortedValues(score);
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low / sorted.length;
}
