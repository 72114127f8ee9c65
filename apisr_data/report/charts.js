// Charts as SVG at the size that they are shown at, each with its figures as a table.

const frame_px = { left: 52, right: 12, top: 12, bottom: 44 };
const headroom = 1.2; // above the highest bar, for the names of marks

/** A figure that draws itself again when its width changes; `draw(width)` makes the SVG, `table` holds the figures. */
function chart({ title, about, legend = [], draw, table, below }) {
  const plot = el("div", { class: "plot" });
  const figure = el(
    "figure",
    { class: "chart" },
    el(
      "figcaption",
      {},
      el("h3", {}, title),
      about ? el("p", {}, about) : null,
      legend.length
        ? el(
            "ul",
            { class: "legend" },
            legend.map(([name, css]) => el("li", {}, el("i", { class: `swatch ${css}` }), name)),
          )
        : null,
    ),
    plot,
    below,
    el("details", {}, el("summary", {}, "The figures"), table()),
  );
  let drawnAt = 0;
  new ResizeObserver(() => {
    const width = Math.floor(plot.clientWidth);
    if (!width || width === drawnAt) return;
    drawnAt = width;
    const picture = draw(width);
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", `${title}; the figures follow as a table`);
    plot.replaceChildren(picture);
  }).observe(plot);
  return figure;
}

/** Round numbers from `low` to `high`, about `count` of them. */
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const scale = 10 ** Math.floor(Math.log10(rough));
  const step = scale * [1, 2, 5, 10].find(factor => factor * scale >= rough);
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) found.push(tick);
  return found;
}

/** Axes: `x` and `y` are { low, high, ticks, show, label }; gives the SVG and what places values in it. */
function axes(width, height, x, y) {
  const { left, right, top, bottom } = frame_px;
  const across = value => left + ((value - x.low) / (x.high - x.low || 1)) * (width - left - right);
  const up = value => height - bottom - ((value - y.low) / (y.high - y.low || 1)) * (height - top - bottom);
  const picture = svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}` },
    y.ticks.map(tick =>
      svg(
        "g",
        {},
        svg("line", { class: "rule", x1: left, x2: width - right, y1: up(tick), y2: up(tick) }),
        svg("text", { class: "tick", x: left - 8, y: up(tick) + 4, "text-anchor": "end" }, y.show(tick)),
      ),
    ),
    svg("line", { class: "axis", x1: left, x2: width - right, y1: up(y.low), y2: up(y.low) }),
    x.ticks.map(tick =>
      svg("text", { class: "tick", x: across(tick), y: height - bottom + 18, "text-anchor": "middle" }, x.show(tick)),
    ),
    svg("text", { class: "label", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, x.label),
    svg(
      "text",
      {
        class: "label",
        transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`,
        "text-anchor": "middle",
      },
      y.label,
    ),
  );
  return { picture, across, up };
}

/** What stands under the pointer: `tell(event)` follows it over `target`. */
function tooltip(target, tell, onClick) {
  const tip = document.getElementById("tip");
  target.addEventListener("pointermove", event => {
    tip.textContent = tell(event);
    tip.hidden = false;
    const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const y = event.clientY - tip.offsetHeight - 10;
    tip.style.translate = `${Math.max(8, x)}px ${y < 8 ? event.clientY + 18 : y}px`;
  });
  target.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  if (!onClick) return;
  target.classList.add("clickable");
  target.addEventListener("click", () => {
    tip.hidden = true;
    onClick();
  });
}

/**
 * Bars over bins: `bins` are { from, to, values, tip, onClick }, one value for each of the classes `series`.
 * Stacked, or each from the ground up and see-through.
 */
function bars(width, height, { bins, series, isStacked, x, y, marks = [] }) {
  const { picture, across, up } = axes(width, height, x, y);
  for (const bin of bins) {
    const [left, right] = [across(bin.from) + 0.5, across(bin.to) - 0.5];
    let ground = 0;
    series.forEach((css, number) => {
      const value = bin.values[number];
      if (!value) return;
      picture.append(
        svg("rect", {
          class: `bar ${css} ${isStacked ? "" : "sheer"}`,
          x: left,
          y: up(ground + value),
          width: Math.max(1, right - left),
          height: Math.max(1, up(ground) - up(ground + value)),
        }),
      );
      if (isStacked) ground += value;
    });
    if (!bin.values.some(Boolean)) continue;
    const catcher = svg("rect", {
      class: "catcher",
      x: left,
      y: up(y.high),
      width: Math.max(1, right - left),
      height: up(y.low) - up(y.high),
    });
    tooltip(catcher, () => bin.tip, bin.onClick);
    picture.append(catcher);
  }
  for (const { at, css, text, row } of marks) {
    const isLate = across(at) > width * 0.6;
    picture.append(
      svg("line", { class: `mark ${css}`, x1: across(at), x2: across(at), y1: up(y.high), y2: up(y.low) }),
      svg(
        "text",
        {
          class: `note ${css}`,
          x: across(at) + (isLate ? -6 : 6),
          y: up(y.high) + 12 + 16 * row,
          "text-anchor": isLate ? "end" : "start",
        },
        text,
      ),
    );
  }
  return picture;
}

/** Lines over `xs`: `lines` are { name, css, values }; `mark` is an x that stands out. */
function lines(width, height, { xs, lines: drawn, x, y, mark, show }) {
  const { picture, across, up } = axes(width, height, x, y);
  if (mark)
    picture.append(
      svg("line", { class: "mark keep", x1: across(mark), x2: across(mark), y1: up(y.high), y2: up(y.low) }),
    );
  for (const { css, values } of drawn) {
    const path = values.map(
      (value, number) => `${number ? "L" : "M"}${across(xs[number]).toFixed(1)} ${up(value).toFixed(1)}`,
    );
    picture.append(svg("path", { class: `line ${css}`, d: path.join("") }));
  }
  const dots = drawn.map(({ css }) => svg("circle", { class: `dot ${css}`, r: 3, visibility: "hidden" }));
  picture.append(...dots);
  const catcher = svg("rect", {
    class: "catcher",
    x: across(x.low),
    y: up(y.high),
    width: across(x.high) - across(x.low),
    height: up(y.low) - up(y.high),
  });
  tooltip(catcher, event => {
    const place = catcher.getBoundingClientRect();
    const share = (event.clientX - place.left) / place.width;
    const number = Math.max(0, Math.min(xs.length - 1, Math.round(share * (xs.length - 1))));
    dots.forEach((dot, line) => {
      dot.setAttribute("cx", across(xs[number]));
      dot.setAttribute("cy", up(drawn[line].values[number]));
      dot.setAttribute("visibility", "visible");
    });
    return show(number);
  });
  catcher.addEventListener("pointerleave", () => dots.forEach(dot => dot.setAttribute("visibility", "hidden")));
  picture.append(catcher);
  return picture;
}
