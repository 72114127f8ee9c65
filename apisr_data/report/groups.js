// The view of duplicates: each group with the frame that is kept for it, and the stretches that videos share.

const groupsAtOnce = 40;
const groups = new Map();
frames.keeper.forEach((keeper, frame) => {
  if (keeper === null) return;
  if (!groups.has(keeper)) groups.set(keeper, []);
  groups.get(keeper).push(frame);
});

/** The frames that one frame stands for, that one first; nothing for a frame without duplicates. */
function groupOf(frame) {
  const members = groups.get(frames.keeper[frame]) ?? [];
  return [...members].sort(
    (a, b) => (frames.keeper[b] === b) - (frames.keeper[a] === a) || frames.distance[a] - frames.distance[b],
  );
}

function duplicates(app) {
  const keepers = [...groups.keys()]
    .filter(keeper => groups.get(keeper).length > 1)
    .sort((a, b) => groups.get(b).length - groups.get(a).length || a - b);
  const list = el("div", { class: "groups" });
  const more = el("button", { type: "button", class: "more", onclick: () => draw() });
  const cards = [];

  function draw() {
    const next = keepers.slice(cards.length, cards.length + groupsAtOnce).map(keeper => group(app, keeper));
    cards.push(...next);
    list.append(...next);
    more.hidden = cards.length >= keepers.length;
    more.textContent = `Show more of ${plural(keepers.length, "group")}`;
  }

  draw();
  decisions.addEventListener("change", event =>
    keepers.slice(0, cards.length).forEach((keeper, number) => {
      if (event.detail !== null && frames.keeper[event.detail] !== keeper) return;
      const card = group(app, keeper);
      cards[number].replaceWith(card);
      cards[number] = card;
    }),
  );
  const count = keepers.reduce((sum, keeper) => sum + groups.get(keeper).length - 1, 0);
  const told =
    stageOf("dedup").state === "missing"
      ? [el("p", { class: "notice" }, `${stageOf("dedup").told}: `, command(commandTowards("dedup")))]
      : [
          el(
            "p",
            { class: "soft" },
            keepers.length
              ? `${plural(count, "frame")} of ${plural(keepers.length, "group")}: each shows what another shows already. ` +
                  "The marked frame stands for its group; the distance of the others to it is in bits of the hash."
              : "No two frames show the same.",
          ),
        ];
  return el("div", { class: "view" }, el("h2", {}, "Duplicates"), told, list, more, repeats());
}

function group(app, keeper) {
  return el(
    "section",
    { class: "group", "aria-label": `${plural(groups.get(keeper).length, "frame")}: ${placeOf(keeper)}` },
    groupOf(keeper).map(frame => {
      const isKeeper = frame === keeper;
      const distance = `distance ${number(frames.distance[frame])}`;
      const verdict = verdictName(decisions.verdict(frame));
      return el(
        "button",
        {
          type: "button",
          class: `member ${verdict}`,
          onclick: () => app.open(frame),
          title: reasonOf(frame),
          "aria-label": `${placeOf(frame)}; ${verdict}, ${isKeeper ? "stands for the group" : distance}`,
        },
        thumbnail(frame),
        isKeeper ? el("b", { class: "hand" }, "★ the kept one") : null,
        el(
          "span",
          { class: "caption" },
          el("bdi", {}, placeOf(frame)),
          el("span", {}, isKeeper ? "" : `${number(frames.distance[frame])} bits`),
        ),
      );
    }),
  );
}

/** Openings, endings and recaps. */
function repeats() {
  if (!data.repeats.length) return null;
  const fileOf = row => (row.video === null ? "not in the dataset any more" : data.videos[row.video].path);
  return el(
    "section",
    {},
    el("h2", {}, "Stretches that videos share"),
    table(
      "Openings, endings and repeats",
      [
        { name: "stretch", value: row => row.run, isNumber: true },
        { name: "kind", value: row => row.kind },
        { name: "file", value: fileOf },
        { name: "from", value: row => row.start_s, cell: row => clock(row.start_s), isNumber: true },
        { name: "to", value: row => row.end_s, cell: row => clock(row.end_s), isNumber: true },
        { name: "I-frames", value: row => row.frames, isNumber: true },
      ],
      data.repeats,
    ),
  );
}
