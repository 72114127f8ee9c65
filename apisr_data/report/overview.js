// The first view: what was read, kept and dropped, and why; packet sizes; complexity with frames along it.

function overview(app) {
  return el(
    "div",
    { class: "view overview" },
    notices(),
    funnel(),
    frameCount ? el("div", { class: "columns" }, reasons(app), titles(app)) : null,
    data.packet_sizes.length ? packetSizes() : null,
    byName.complexity ? complexity(app) : null,
  );
}

/** What is behind or absent, with the command that mends it. */
function notices() {
  const told = [];
  const behind = data.stages.find(({ state }) => state !== "done"); // what follows on it is behind as well
  if (behind)
    told.push([
      `${behind.told}: `,
      command(commandOf(behind.stage)),
    ]);
  if (data.totals.failed) told.push([`${plural(data.totals.failed, "input")} could not be read: see Videos.`]);
  if (!decisions.isStored)
    told.push([notStored]);
  return told.map(text => el("p", { class: "notice" }, text));
}

/** From inputs to images. */
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
  return el(
    "dl",
    { class: "funnel" },
    steps.map(([name, count, note]) =>
      el(
        "div",
        {},
        el("dt", {}, name),
        el("dd", {}, el("strong", {}, number(count)), note ? el("span", {}, note) : null),
      ),
    ),
  );
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
  const name = row => (row.rule === null ? "not selected yet" : frames.rules[row.rule]);
  return el(
    "section",
    {},
    el("h2", {}, "Why"),
    el(
      "div",
      { class: "share", "aria-hidden": "true" },
      rows.map(row =>
        el("i", {
          class: verdictName(row.isKept),
          style: { "flex-grow": row.count },
          title: `${name(row)}: ${row.count}`,
        }),
      ),
    ),
    table(
      "Frames by verdict and reason",
      [
        { name: "verdict", value: row => verdictName(row.isKept), cell: row => badge(row.isKept) },
        {
          name: "reason",
          value: name,
          cell: row =>
            row.rule === null
              ? name(row)
              : link(name(row), () => app.showFrames({ rule: String(row.rule), verdict: verdictName(row.isKept) })),
        },
        { name: "frames", value: row => row.count, isNumber: true },
        { name: "share", value: row => row.count, cell: row => percent(row.count, frameCount), isNumber: true },
      ],
      rows,
    ),
    el("p", { class: "soft" }, "As the dataset has it; decisions made in this page count once select has them."),
  );
}

function titles(app) {
  const nothing = { videos: 0, frames: 0, kept: 0, dropped: 0, sum: 0, scored: 0 };
  const rows = data.titles.map((title, number) => ({ number, title: title || "untitled", ...nothing }));
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
  return el(
    "section",
    {},
    el("h2", {}, "Titles"),
    table(
      "Frames by title",
      [
        {
          name: "title",
          value: row => row.title,
          cell: row => link(row.title, () => app.showFrames({ title: String(row.number) })),
        },
        { name: "videos", value: row => row.videos, isNumber: true },
        { name: "I-frames", value: row => row.frames, isNumber: true },
        { name: "kept", value: row => row.kept, isNumber: true },
        { name: "dropped", value: row => row.dropped, isNumber: true },
        { name: "complexity", note: "mean", value: row => (row.scored ? row.sum / row.scored : null), isNumber: true },
      ],
      rows,
    ),
  );
}
