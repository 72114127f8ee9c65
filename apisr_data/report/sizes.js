// The sizes of I-frames against those of other frames: figure 3a of the paper, for this dataset.

/** The sizes of I-frames against those of the other frames, of one title or all. */
function packetSizes() {
  const place = el("div");
  const choice = el(
    "select",
    { id: "sizes-of", onchange: () => draw() },
    el("option", { value: "" }, "all titles"),
    data.titles.map((title, number) => el("option", { value: number }, title || "untitled")),
  );

  function draw() {
    const chosen = data.packet_sizes.filter(row => choice.value === "" || row.title === Number(choice.value));
    const types = ["I", "other"].map(type => sizesOf(chosen.filter(row => row.type === type)));
    place.replaceChildren(
      types[0].packets + types[1].packets ? sizesChart(types, chosen) : el("p", { class: "soft" }, "No packets."),
    );
  }

  draw();
  return el(
    "section",
    {},
    el("h2", {}, "Sizes of I-frames and of other frames"),
    data.titles.length > 1 ? el("p", {}, el("label", { for: "sizes-of" }, "Of "), choice) : null,
    place,
  );
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
  const share = (type, bin) => (type.packets ? (100 * (type.bins.get(bin) ?? 0)) / type.packets : 0);
  const size = bin => bytes(2 ** (bin / 4));
  const bins = [];
  for (let bin = low; bin < high; bin++) {
    const values = [share(intra, bin), share(other, bin)];
    const told = [intra, other].map((type, kind) => `${number(type.bins.get(bin) ?? 0)} (${values[kind].toFixed(1)}%)`);
    bins.push({
      from: bin,
      to: bin + 1,
      values,
      tip: `${size(bin)} to ${size(bin + 1)}\nI-frames: ${told[0]}\nother frames: ${told[1]}`,
    });
  }
  const top = Math.max(...bins.flatMap(bin => bin.values));
  const decades = [10, 100, 1e3, 1e4, 1e5, 1e6, 1e7].filter(
    at => 4 * Math.log2(at) >= low && 4 * Math.log2(at) <= high,
  );
  const unknown = sizesOf(chosen.filter(row => row.type === "?")).packets;
  const ratio = intra.mean && other.mean ? `: ${(intra.mean / other.mean).toPrecision(2)} times as large` : "";
  return chart({
    title: "Bytes that a frame was coded with",
    about:
      `An I-frame has ${bytes(intra.mean)} on average, another frame ${bytes(other.mean)}${ratio}.` +
      (unknown ? ` Of ${plural(unknown, "packet")} the type is not known; they are left out.` : ""),
    legend: [
      [`I-frames (${number(intra.packets)})`, "keep"],
      [`other frames (${number(other.packets)})`, "other"],
    ],
    draw: width =>
      bars(width, 260, {
        bins,
        series: ["keep", "other"],
        x: {
          low,
          high,
          ticks: decades.map(at => 4 * Math.log2(at)),
          show: at => bytes(2 ** (at / 4)),
          label: "packet size (each bar a quarter octave)",
        },
        y: {
          low: 0,
          high: top * headroom,
          ticks: ticks(0, top, 4),
          show: at => `${number(at)}%`,
          label: "share of their kind",
        },
        marks: [
          { at: other.median, css: "other", text: "median, other", row: 0 },
          { at: intra.median, css: "keep", text: "median, I", row: 1 },
        ].filter(mark => mark.at !== null),
      }),
    table: () =>
      table(
        "Packets by size",
        [
          { name: "from", value: bin => bin.from, cell: bin => size(bin.from) },
          { name: "to", value: bin => bin.to, cell: bin => size(bin.to) },
          { name: "I-frames", value: bin => intra.bins.get(bin.from) ?? 0, isNumber: true },
          { name: "other frames", value: bin => other.bins.get(bin.from) ?? 0, isNumber: true },
        ],
        bins,
      ),
  });
}
