// The first view: what was read, kept and dropped, and why; packet sizes; complexity with frames along it.

const histogramBins = 40;

function overview(app) {
  return el("div", { class: "view overview" },
    notices(),
    funnel(),
    frameCount ? el("div", { class: "columns" }, reasons(app), titles(app)) : null,
    data.packet_sizes.length ? packetSizes() : null,
    byName.complexity ? complexity(app) : null);
}

/** What is behind or absent, with the command that mends it. */
function notices() {
  const told = [];
  const behind = data.stages.find(({ state }) => state !== "done");  // what follows on it is behind as well
  if (behind) told.push([behind.state === "stale" ? `The tables changed since ${behind.stage} ran:` : missing[behind.stage], " ", command(commandOf(behind.stage))]);
  if (data.totals.failed) told.push([`${plural(data.totals.failed, "input")} could not be read: see Videos.`]);
  if (!decisions.isStored) told.push(["This browser keeps nothing for this file: download your decisions before you close it."]);
  return told.map(text => el("p", { class: "notice" }, text));
}

const missing = {
  extract: "Nothing was read yet:",
  score: "No frame is scored yet:",
  dedup: "Duplicates were not looked for yet:",
  select: "Nothing is selected yet:",
  rescale: "No image is made of the kept frames yet:",
};

/** From packets to images. */
function funnel() {
  const { videos, packets, frames: found, kept, dropped, images, failed } = data.totals;
  const steps = [
    ["inputs read", videos - failed, failed ? `${failed} failed` : ""],
    ["frames they hold", packets, ""],
    ["I-frames", found, packets ? `${percent(found, packets)} of them` : ""],
    ["kept", kept, percent(kept, found)],
    ["dropped", dropped, percent(dropped, found)],
    ["images made", images, ""],
  ];
  return el("dl", { class: "funnel" }, steps.map(([name, count, note]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, el("strong", {}, number(count)), note ? el("span", {}, note) : null))));
}

function reasons(app) {
  const counts = new Map();
  for (let frame = 0; frame < frameCount; frame++) {
    const rule = frames.rule[frame];
    const key = `${rule} ${frames.is_kept[frame]}`;
    if (!counts.has(key)) counts.set(key, { rule, isKept: frames.is_kept[frame], count: 0 });
    counts.get(key).count++;
  }
  const rows = [...counts.values()].sort((a, b) => (b.isKept === true) - (a.isKept === true) || b.count - a.count);
  const name = row => row.rule === null ? "not selected yet" : frames.rules[row.rule];
  return el("section", {},
    el("h2", {}, "Why"),
    el("div", { class: "share", "aria-hidden": "true" }, rows.map(row =>
      el("i", { class: verdictName(row.isKept), style: { "flex-grow": row.count }, title: `${name(row)}: ${row.count}` }))),
    table("Frames by verdict and reason", [
      { name: "verdict", value: row => verdictName(row.isKept), cell: row => badge(row.isKept) },
      { name: "reason", value: name, cell: row => row.rule === null ? name(row)
        : link(name(row), () => app.showFrames({ rule: String(row.rule), verdict: verdictName(row.isKept) })) },
      { name: "frames", value: row => row.count, isNumber: true },
      { name: "share", value: row => row.count, cell: row => percent(row.count, frameCount), isNumber: true },
    ], rows),
    el("p", { class: "soft" }, "As the dataset has it; decisions made in this page count once select has them."));
}

const badge = isKept => el("span", { class: `badge ${verdictName(isKept)}` }, verdictName(isKept));

const link = (text, act) => el("button", { type: "button", class: "link", onclick: act }, text);

function titles(app) {
  const rows = data.titles.map((title, number) => ({ number, title: title || "untitled", videos: 0, frames: 0, kept: 0, dropped: 0, sum: 0, scored: 0 }));
  for (const video of data.videos) rows[video.title].videos++;
  for (let frame = 0; frame < frameCount; frame++) {
    const row = rows[videoOf(frame).title];
    row.frames++;
    row.kept += frames.is_kept[frame] === true;
    row.dropped += frames.is_kept[frame] === false;
    const score = byName.complexity?.values[frame];
    if (typeof score === "number") {
      row.sum += score;
      row.scored++;
    }
  }
  return el("section", {},
    el("h2", {}, "Titles"),
    table("Frames by title", [
      { name: "title", value: row => row.title, cell: row => link(row.title, () => app.showFrames({ title: String(row.number) })) },
      { name: "videos", value: row => row.videos, isNumber: true },
      { name: "I-frames", value: row => row.frames, isNumber: true },
      { name: "kept", value: row => row.kept, isNumber: true },
      { name: "dropped", value: row => row.dropped, isNumber: true },
      { name: "complexity", note: "mean", value: row => row.scored ? row.sum / row.scored : null, isNumber: true },
    ], rows));
}

/** The sizes of I-frames against those of the other frames, of one title or all. */
function packetSizes() {
  const place = el("div");
  const choice = el("select", { id: "sizes-of", onchange: () => draw() },
    el("option", { value: "" }, "all titles"),
    data.titles.map((title, number) => el("option", { value: number }, title || "untitled")));

  function draw() {
    const chosen = data.packet_sizes.filter(row => choice.value === "" || row.title === Number(choice.value));
    const types = ["I", "other"].map(type => sizesOf(chosen.filter(row => row.type === type)));
    place.replaceChildren(types[0].packets + types[1].packets ? sizesChart(types, chosen) : el("p", { class: "soft" }, "No packets."));
  }

  draw();
  return el("section", {},
    el("h2", {}, "Sizes of I-frames and of other frames"),
    data.titles.length > 1 ? el("p", {}, el("label", { for: "sizes-of" }, "Of "), choice) : null,
    place);
}

/** Packets by quarter octave of size, and their mean and median. */
function sizesOf(rows) {
  const bins = new Map();
  let [packets, size] = [0, 0];
  for (const row of rows) {
    size += row.bytes;
    row.from.forEach((from, number) => {
      const bin = from < 1 ? 0 : Math.round(4 * Math.log2(from));
      bins.set(bin, (bins.get(bin) ?? 0) + row.packets[number]);
      packets += row.packets[number];
    });
  }
  let [below, median] = [0, null];
  for (const bin of [...bins.keys()].sort((a, b) => a - b)) {
    below += bins.get(bin);
    if (median === null && below * 2 >= packets) median = bin + 0.5;
  }
  return { bins, packets, mean: packets ? size / packets : 0, median };
}

function sizesChart([intra, other], chosen) {
  const keys = [...intra.bins.keys(), ...other.bins.keys()];
  const [low, high] = [Math.min(...keys), Math.max(...keys) + 1];
  const share = (type, bin) => type.packets ? 100 * (type.bins.get(bin) ?? 0) / type.packets : 0;
  const size = bin => bytes(2 ** (bin / 4));
  const bins = [];
  for (let bin = low; bin < high; bin++) {
    const values = [share(intra, bin), share(other, bin)];
    const told = [intra, other].map((type, kind) => `${number(type.bins.get(bin) ?? 0)} (${values[kind].toFixed(1)}%)`);
    bins.push({ from: bin, to: bin + 1, values, tip: `${size(bin)} to ${size(bin + 1)}\nI-frames: ${told[0]}\nother frames: ${told[1]}` });
  }
  const top = Math.max(...bins.flatMap(bin => bin.values));
  const decades = [10, 100, 1e3, 1e4, 1e5, 1e6, 1e7].filter(at => 4 * Math.log2(at) >= low && 4 * Math.log2(at) <= high);
  const unknown = chosen.filter(row => row.type === "?").reduce((sum, row) => sum + row.packets.reduce((a, b) => a + b, 0), 0);
  const ratio = intra.mean && other.mean ? `: ${(intra.mean / other.mean).toPrecision(2)} times as large` : "";
  return chart({
    title: "Bytes that a frame was coded with",
    about: `An I-frame has ${bytes(intra.mean)} on average, another frame ${bytes(other.mean)}${ratio}.` +
      (unknown ? ` Of ${plural(unknown, "packet")} the type is not known; they are left out.` : ""),
    legend: [[`I-frames (${number(intra.packets)})`, "keep"], [`other frames (${number(other.packets)})`, "other"]],
    draw: width => bars(width, 260, {
      bins, series: ["keep", "other"],
      x: { low, high, ticks: decades.map(at => 4 * Math.log2(at)), show: at => bytes(2 ** (at / 4)), label: "packet size (each bar a quarter octave)" },
      y: { low: 0, high: top * headroom, ticks: ticks(0, top, 4), show: at => `${number(at)}%`, label: "share of their kind" },
      marks: [{ at: other.median, css: "other", text: "median, other", row: 0 }, { at: intra.median, css: "keep", text: "median, I", row: 1 }]
        .filter(mark => mark.at !== null),
    }),
    table: () => table("Packets by size", [
      { name: "from", value: bin => bin.from, cell: bin => size(bin.from) },
      { name: "to", value: bin => bin.to, cell: bin => size(bin.to) },
      { name: "I-frames", value: bin => intra.bins.get(bin.from) ?? 0, isNumber: true },
      { name: "other frames", value: bin => other.bins.get(bin.from) ?? 0, isNumber: true },
    ], bins),
  });
}

/** How complex the frames are, kept and dropped, and what such frames look like. */
function complexity(app) {
  const scored = [];
  const { values } = byName.complexity;
  for (let frame = 0; frame < frameCount; frame++) if (values[frame] !== null) scored.push(frame);
  if (!scored.length) return null;
  scored.sort((a, b) => values[a] - values[b]);
  const [low, high] = [values[scored[0]], values[scored.at(-1)] === values[scored[0]] ? values[scored[0]] + 0.01 : values[scored.at(-1)]];
  const step = (high - low) / histogramBins;
  const series = ["keep", "drop", "open"];
  const bins = Array.from({ length: histogramBins }, (_, bin) => ({ from: low + bin * step, to: low + (bin + 1) * step, values: [0, 0, 0] }));
  for (const frame of scored) {
    const bin = bins[Math.min(histogramBins - 1, Math.floor((values[frame] - low) / step))];
    bin.values[frames.is_kept[frame] === true ? 0 : frames.is_kept[frame] === false ? 1 : 2]++;
  }
  for (const bin of bins) {
    const names = ["kept", "dropped", "not selected"];
    bin.tip = [`complexity ${number(bin.from)} to ${number(bin.to)}`,
      ...bin.values.flatMap((count, kind) => count ? [`${names[kind]}: ${number(count)}`] : []), "click: show them"].join("\n");
    bin.onClick = () => app.showFrames({ score: "complexity", low: bin.from, high: bin.to });
  }
  const top = Math.max(...bins.map(bin => bin.values.reduce((a, b) => a + b)));
  return el("section", {},
    el("h2", {}, "Complexity"),
    chart({
      title: "Frames by complexity, and frames along it",
      about: `${plural(scored.length, "frame")}, scored by ${data.complexity_scorers.join(" and ")}; greater is more complex. Click a bar for its frames.`,
      legend: [["kept", "keep"], ["dropped", "drop"], ["not selected", "open"]].filter((_, kind) => bins.some(bin => bin.values[kind])),
      draw: width => bars(width, 240, {
        bins, series, isStacked: true,
        x: { low, high, ticks: ticks(low, high, width / 90), show: number, label: "complexity" },
        y: { low: 0, high: top, ticks: ticks(0, top, Math.min(4, top)), show: number, label: "frames" },
      }),
      below: examples(app, scored, low, high),
      table: () => table("Frames by complexity", [
        { name: "from", value: bin => bin.from, isNumber: true },
        { name: "to", value: bin => bin.to, isNumber: true },
        { name: "kept", value: bin => bin.values[0], isNumber: true },
        { name: "dropped", value: bin => bin.values[1], isNumber: true },
        { name: "not selected", value: bin => bin.values[2], isNumber: true },
      ], bins.filter(bin => bin.values.some(Boolean))),
    }));
}

/** Frames spread along the axis above, each the nearest to its place. */
function examples(app, scored, low, high) {
  const { values } = byName.complexity;
  const places = 8;
  const found = new Map();
  for (let place = 0; place < places; place++) {
    const wanted = low + (high - low) * (place + 0.5) / places;
    const nearest = scored.reduce((best, frame) => Math.abs(values[frame] - wanted) < Math.abs(values[best] - wanted) ? frame : best);
    const isWithin = Math.abs(values[nearest] - wanted) <= (high - low) / places;
    if (isWithin && !found.has(nearest)) found.set(nearest, place);
  }
  return el("ol", { class: "examples", "aria-label": "Frames along the complexity axis" }, [...found].map(([frame, place]) =>
    el("li", { style: { "grid-column": place + 1 } },
      el("button", { type: "button", onclick: () => app.open(frame), "aria-label": `${placeOf(frame)}, complexity ${number(values[frame])}` },
        thumbnail(frame), el("span", {}, number(values[frame]))))));
}

/** A frame's small picture; it takes its shape before it is there. */
function thumbnail(frame) {
  const source = thumbnailOf(frame);
  if (!source) return el("span", { class: "thumbnail absent" }, "no thumbnail");
  return el("img", { class: "thumbnail", src: source, alt: "", decoding: "async", loading: "lazy", draggable: "false" });
}
