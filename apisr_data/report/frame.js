// How one frame is shown wherever it stands.

/** A frame's small picture; it takes its shape before it is there. */
function thumbnail(frame) {
  const source = thumbnailOf(frame);
  if (!source) return el("span", { class: "thumbnail absent" }, "no thumbnail");
  return el("img", {
    class: "thumbnail",
    src: source,
    alt: "",
    decoding: "async",
    loading: "lazy",
    draggable: "false",
  });
}

/** A verdict as a word in its colour. */
const badge = isKept => el("span", { class: `badge ${verdictName(isKept)}` }, verdictName(isKept));

/** Keep and drop, the one in force pressed; whoever contains them listens to `data-keep`. */
function verdictButtons(frame, verdict, tabindex = null) {
  return el(
    "span",
    { class: "verdict" },
    el(
      "button",
      {
        type: "button",
        class: "keep",
        "data-keep": "true",
        tabindex,
        "aria-pressed": String(verdict === true),
        "aria-label": "keep",
        title: "keep (k)",
      },
      "✓",
    ),
    el(
      "button",
      {
        type: "button",
        class: "drop",
        "data-keep": "false",
        tabindex,
        "aria-pressed": String(verdict === false),
        "aria-label": "drop",
        title: "drop (d)",
      },
      "✕",
    ),
  );
}
