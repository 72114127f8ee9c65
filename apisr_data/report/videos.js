// The views of titles' native heights and of the videos' health.

/** A curve a title: how badly each height explains the picture. The height that it was drawn at shows as a dip. */
function heights() {
  const rows = data.curves;
  const withCurve = rows.filter(row => row.heights?.length);
  return el(
    "div",
    { class: "view" },
    el("h2", {}, "Native heights"),
    el(
      "p",
      { class: "soft" },
      "The height that a title was drawn at before it was enlarged for release. At that height, and only there, the " +
        "picture can be shrunk and enlarged again without loss: the error dips. A height is named from a " +
        "confidence of 0.8 on; below, nothing was found, which does not say that the picture was drawn at that size.",
    ),
    rows.length
      ? table(
          "Native height by title",
          [
            { name: "title", value: row => data.titles[row.title] || "untitled" },
            { name: "video height", note: "px", value: row => row.source_height, isNumber: true },
            { name: "native height", note: "px", value: row => row.height, isNumber: true },
            { name: "kernel", value: row => row.kernel },
            { name: "confidence", value: row => row.confidence, isNumber: true },
            { name: "videos", value: row => row.videos, isNumber: true },
            { name: "frames", value: row => row.frames, isNumber: true },
          ],
          rows,
        )
      : el(
          "p",
          { class: "notice" },
          "No native height was measured: ",
          command(commandTowards("score")),
          "; the scores bring it, for videos of 240 rows and more.",
        ),
    el("div", { class: "multiples" }, withCurve.map(curve)),
    withCurve.length < rows.length && withCurve.length
      ? el("p", { class: "soft" }, `Curves of the ${number(withCurve.length)} titles with most frames are shown.`)
      : null,
  );
}

function curve(row) {
  const names = Object.keys(row.errors);
  const all = names.flatMap(name => row.errors[name]);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const [first, last] = [row.heights[0], row.heights.at(-1)];
  const level = log => number(Number(Math.exp(log).toPrecision(2)));
  return chart({
    title: `${isolated(data.titles[row.title] || "untitled")}, ${row.source_height} rows`,
    about: row.height
      ? `Drawn at ${row.height} rows, enlarged by ${row.kernel}; confidence ${number(row.confidence)}.`
      : `No height stands out; the clearest dip has a confidence of ${number(row.confidence)}.`,
    legend: names.map((name, kernel) => [name, `kernel-${kernel}`]),
    draw: width =>
      lines(width, 220, {
        xs: row.heights,
        mark: row.height,
        lines: names.map((name, kernel) => ({
          css: `kernel-${kernel}${name === row.kernel ? " chosen" : ""}`,
          values: row.errors[name],
        })),
        x: {
          low: first,
          high: last,
          ticks: ticks(first, last, width / 80),
          show: number,
          label: "candidate height, px",
        },
        y: {
          low,
          high,
          ticks: ticks(Math.exp(low), Math.exp(high), 4).map(Math.log),
          show: level,
          label: "error, grey levels",
        },
        show: at =>
          [`${row.heights[at]} px`, ...names.map(name => `${name}: ${level(row.errors[name][at])}`)].join("\n"),
      }),
    table: () =>
      table(
        "Descale error by height",
        [
          { name: "height, px", value: at => row.heights[at], isNumber: true },
          ...names.map(name => ({ name, value: at => Math.exp(row.errors[name][at]), isNumber: true })),
        ],
        row.heights.map((_, at) => at),
      ),
  });
}

/** 0 failed, 1 with something to know, 2 well. */
const healthOf = video =>
  video.status === "failed" ? 0 : video.reason || video.decode_errors || video.is_cut_short ? 1 : 2;

function videos() {
  const health = ["failed", "look", "good"];
  const joined = parts => parts.filter(Boolean).join(" ") || null;
  const columns = [
    {
      name: "health",
      value: healthOf,
      cell: video =>
        el("span", { class: `badge ${["dropped", "open", "kept"][healthOf(video)]}` }, health[healthOf(video)]),
    },
    { name: "file", value: video => video.path },
    { name: "what happened", value: video => video.reason ?? (video.is_cut_short ? "cut short" : null) },
    { name: "I-frames", value: video => video.i_frames, isNumber: true },
    { name: "decode errors", value: video => video.decode_errors, isNumber: true },
    {
      name: "interlacing",
      note: "as measured; what the stream says",
      value: video =>
        joined([
          video.interlacing,
          video.field_order && video.field_order !== "progressive" ? `(${video.field_order})` : null,
        ]),
    },
    {
      name: "colour",
      note: "matrix, range, where the matrix comes from",
      value: video =>
        joined([video.colour_matrix, video.colour_range, video.colour_source && `(${video.colour_source})`]),
    },
    {
      name: "codec",
      note: "codec, profile, pixel format",
      value: video => joined([video.codec, video.profile, video.pixel_format]),
    },
    {
      name: "size",
      value: video => video.height,
      cell: video => (video.width ? `${video.width}×${video.height}` : "–"),
      isNumber: true,
    },
    { name: "frames/s", value: video => video.fps, isNumber: true },
    { name: "length", value: video => video.duration_s, cell: video => clock(video.duration_s), isNumber: true },
    { name: "native height", value: video => video.native_height, isNumber: true },
    {
      name: "key frames",
      note: "packets that the container marks as key",
      value: video => video.key_frames,
      isNumber: true,
    },
    { name: "found by", note: "how the I-frames were found", value: video => video.iframe_method },
    { name: "title", value: video => data.titles[video.title] || "untitled" },
    { name: "episode", value: video => video.episode },
    { name: "licence", value: video => video.licence },
  ].filter(column => data.videos.some(video => column.value(video) !== null));
  return el(
    "div",
    { class: "view wide" },
    el("h2", {}, "Videos"),
    data.videos.length
      ? table("Every video and how it was read", columns, data.videos, [0, false])
      : el("p", { class: "notice" }, "No videos yet: ", command(commandOf("extract"))),
  );
}
