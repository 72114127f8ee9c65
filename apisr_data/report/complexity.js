// How complex the frames are, and what such frames look like: figures 3b and 4 of the paper, for this dataset.

const histogramBins = 40;
const examplePlaces = 8;

/** How complex the frames are, kept and dropped, and what such frames look like. */
function complexity(app) {
  const scored = [];
  const { values } = byName.complexity;
  for (let frame = 0; frame < frameCount; frame++) if (values[frame] !== null) scored.push(frame);
  if (!scored.length) return null;
  scored.sort((a, b) => values[a] - values[b]);
  const low = values[scored[0]];
  const high = Math.max(values[scored.at(-1)], low + 0.01);
  const step = (high - low) / histogramBins;
  const series = ["keep", "drop", "open"];
  const names = ["kept", "dropped", "not selected"];
  const edge = bin => (bin === histogramBins ? high : low + bin * step);
  const bins = Array.from({ length: histogramBins }, (_, bin) => ({
    from: edge(bin),
    to: edge(bin + 1),
    values: [0, 0, 0],
  }));
  for (const frame of scored) {
    const bin = bins[Math.min(histogramBins - 1, Math.floor((values[frame] - low) / step))];
    bin.values[frames.is_kept[frame] === true ? 0 : frames.is_kept[frame] === false ? 1 : 2]++;
  }
  for (const bin of bins) {
    bin.tip = [
      `complexity ${number(bin.from)} to ${number(bin.to)}`,
      ...bin.values.flatMap((count, kind) => (count ? [`${names[kind]}: ${number(count)}`] : [])),
      "click: show them",
    ].join("\n");
    bin.onClick = () => app.showFrames({ score: "complexity", low: bin.from, high: bin.to });
  }
  const top = Math.max(...bins.map(bin => bin.values.reduce((a, b) => a + b)));
  return el(
    "section",
    {},
    el("h2", {}, "Complexity"),
    chart({
      title: "Frames by complexity, and frames along it",
      about:
        `${plural(scored.length, "frame")}, scored by ${data.complexity_scorers.join(" and ")}; ` +
        "greater is more complex. Click a bar for its frames.",
      legend: series.map((css, kind) => [names[kind], css]).filter((_, kind) => bins.some(bin => bin.values[kind])),
      draw: width =>
        bars(width, 240, {
          bins,
          series,
          isStacked: true,
          x: { low, high, ticks: ticks(low, high, width / 90), show: number, label: "complexity" },
          y: { low: 0, high: top, ticks: ticks(0, top, Math.min(4, top)), show: number, label: "frames" },
        }),
      below: examples(app, scored, low, high),
      table: () =>
        table(
          "Frames by complexity",
          [
            { name: "from", value: bin => bin.from, isNumber: true },
            { name: "to", value: bin => bin.to, isNumber: true },
            ...names.map((name, kind) => ({ name, value: bin => bin.values[kind], isNumber: true })),
          ],
          bins.filter(bin => bin.values.some(Boolean)),
        ),
    }),
  );
}

/** Frames spread along the axis above, each the nearest to its place. */
function examples(app, scored, low, high) {
  const { values } = byName.complexity;
  const found = new Map();
  for (let place = 0; place < examplePlaces; place++) {
    const wanted = low + ((high - low) * (place + 0.5)) / examplePlaces;
    const distance = frame => Math.abs(values[frame] - wanted);
    const nearest = scored.reduce((best, frame) => (distance(frame) < distance(best) ? frame : best));
    if (distance(nearest) <= (high - low) / examplePlaces && !found.has(nearest)) found.set(nearest, place);
  }
  return el(
    "ol",
    { class: "examples", "aria-label": "Frames along the complexity axis" },
    [...found].map(([frame, place]) =>
      el(
        "li",
        { style: { "grid-column": place + 1 } },
        el(
          "button",
          {
            type: "button",
            onclick: () => app.open(frame),
            "aria-label": `${placeOf(frame)}, complexity ${number(values[frame])}`,
          },
          thumbnail(frame),
          el("span", {}, number(values[frame])),
        ),
      ),
    ),
  );
}
