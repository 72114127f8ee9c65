// The view of all frames: filters, order and the contact sheet. A decision changes a cell, not the list: it is made anew
// when a filter is.

const everything = { text: "", verdict: "", title: "", rule: "", score: "", low: null, high: null, sort: "time", isDescending: false };

class Sheet {
  constructor(app) {
    this.app = app;
    this.asked = { ...everything, score: frames.scores[0]?.name ?? "" };
    this.grid = new Grid({ onOpen: frame => app.open(frame), onMove: frame => app.follow(frame) });
    this.found = el("output", { class: "soft", "aria-live": "polite" });
    this.form = this.filters();
    this.root = el("div", { class: "view sheet" }, this.form,
      frameCount ? null : el("p", { class: "notice" }, "No frames yet: ", command(commandOf("extract"))), this.grid.root);
    decisions.addEventListener("change", () => this.tell());
  }

  filters() {
    const counted = (values, names) => {
      const counts = new Map();
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
      return names.map((name, value) => [value, `${name || "untitled"} (${number(counts.get(value) ?? 0)})`]);
    };
    const ofTitles = counted(frames.video.map(video => data.videos[video].title), data.titles);
    const choice = (label, name, options) => el("label", {}, label,
      el("select", { name, onchange: event => this.ask({ [name]: event.target.value }) },
        options.map(([value, text]) => el("option", { value }, text))));
    const scores = frames.scores.map(score => [score.name, words(score.name)]);
    this.range = el("div", { class: "range", role: "group" });
    return el("form", { class: "filters", role: "search", "aria-label": "Filters", onsubmit: event => event.preventDefault() },
      el("label", { class: "wide" }, "Search", el("input", { type: "search", name: "text", placeholder: "title, file, reason, frame",
        oninput: event => this.ask({ text: event.target.value }) })),
      choice("Verdict", "verdict", [["", "all"], ["kept", "kept"], ["dropped", "dropped"], ["open", "open"], ["hand", "by hand"], ["new", "changed here"]]),
      choice("Title", "title", [["", "all"], ...ofTitles]),
      choice("Reason", "rule", [["", "all"], ...counted(frames.rule, frames.rules)]),
      scores.length ? choice("Score", "score", scores) : null,
      this.range,
      choice("Sort by", "sort", [["time", "time"], ...scores]),
      el("button", { type: "button", name: "order", onclick: () => this.ask({ isDescending: !this.asked.isDescending }) }),
      el("button", { type: "button", name: "reset", onclick: () => this.reset({}) }, "Clear"),
      this.found,
      el("p", { class: "keys soft", id: "keys" }, [["k", "keep"], ["d", "drop"], ["⇧", "with it: and go on"], ["n", "next"], ["p", "previous"],
        ["u", "undo"], ["a", "by the rules"], ["↵", "look closer"]].flatMap(([key, does]) => [el("kbd", {}, key), ` ${does}  `])));
  }

  /** Only what `asked` says, everything else as at the beginning. */
  reset(asked) {
    this.asked = { ...everything, score: this.asked.score };
    this.ask({ low: null, high: null, ...asked });
  }

  ask(changes) {
    if ("score" in changes && !("low" in changes)) Object.assign(changes, { low: null, high: null });
    if ("sort" in changes) changes.isDescending = changes.sort !== "time";
    Object.assign(this.asked, changes);
    for (const name of ["text", "verdict", "title", "rule", "sort", "score"]) {
      const control = this.form.elements[name];
      if (control && control.value !== this.asked[name]) control.value = this.asked[name];
    }
    const { isDescending, sort } = this.asked;
    this.form.elements.order.textContent = sort === "time" ? (isDescending ? "latest first" : "earliest first") : isDescending ? "greatest first" : "least first";
    if (!("low" in changes && "high" in changes && this.isDragging)) this.drawRange();
    this.grid.show(this.matching(), sort === "time" ? this.asked.score : sort);
    this.tell();
  }

  tell() {
    const { order } = this.grid;
    let kept = 0;
    for (const frame of order) kept += decisions.verdict(frame) === true;
    this.found.value = `${number(order.length)} of ${plural(frameCount, "frame")}, ${number(kept)} kept`;
  }

  /** The frames that every filter lets through, in order. */
  matching() {
    const { text, verdict, title, rule, score, low, high, sort, isDescending } = this.asked;
    const sought = plain(text).split(/\s+/).filter(Boolean);
    const values = byName[score]?.values;
    const hasRange = low !== null || high !== null;
    const found = [];
    for (let frame = 0; frame < frameCount; frame++) {
      if (title !== "" && videoOf(frame).title !== Number(title)) continue;
      if (rule !== "" && frames.rule[frame] !== Number(rule)) continue;
      if (verdict && !this.hasVerdict(frame, verdict)) continue;
      if (hasRange && (values[frame] === null || (low !== null && values[frame] < low) || (high !== null && values[frame] > high))) continue;
      if (sought.length && !sought.every(word => textOf(frame).includes(word))) continue;
      found.push(frame);
    }
    if (sort === "time") return isDescending ? found.reverse() : found;
    const by = byName[sort].values;
    return found.sort((a, b) => compare(by[a], by[b], isDescending) || a - b);
  }

  hasVerdict(frame, verdict) {
    if (verdict === "hand") return decisions.decision(frame) !== undefined;
    if (verdict === "new") return decisions.isChanged(frame);
    return verdictName(decisions.verdict(frame)) === verdict;
  }

  /** The lower and upper bound of the chosen score, over its histogram. */
  drawRange() {
    const score = byName[this.asked.score];
    const sorted = score ? sortedValues(score) : [];
    this.range.hidden = sorted.length < 2 || sorted[0] === sorted.at(-1);
    if (this.range.hidden) return;
    const [least, most] = [sorted[0], sorted.at(-1)];
    const step = (most - least) / 1000;
    const counts = new Uint32Array(48);
    for (const value of sorted) counts[Math.min(47, Math.floor((value - least) / (most - least) * 48))]++;
    const top = Math.max(...counts);
    const slider = (name, label, value) => {
      const input = el("input", { type: "range", name, min: 0, max: 1000, step: 1, "aria-label": `${label} ${words(score.name)}` });
      input.value = Math.round((value - least) / step);
      return input;
    };
    const lower = slider("low", "least", this.asked.low ?? least);
    const upper = slider("high", "greatest", this.asked.high ?? most);
    const told = el("output");
    const draw = () => {
      const [from, to] = [Number(lower.value), Number(upper.value)];
      const text = at => number(least + at * step);
      told.value = `${text(from)} to ${text(to)}`;
      lower.setAttribute("aria-valuetext", text(from));
      upper.setAttribute("aria-valuetext", text(to));
      this.range.style.setProperty("--from", from / 1000);
      this.range.style.setProperty("--to", to / 1000);
    };
    const ask = moved => {
      if (Number(lower.value) > Number(upper.value)) moved.value = moved === lower ? upper.value : lower.value;
      draw();
      this.isDragging = true;
      this.ask({ low: Number(lower.value) === 0 ? null : least + lower.value * step, high: Number(upper.value) === 1000 ? null : least + upper.value * step });
      this.isDragging = false;
    };
    for (const input of [lower, upper]) input.addEventListener("input", () => ask(input));
    this.range.setAttribute("aria-label", `Range of ${words(score.name)}`);
    this.range.replaceChildren(el("span", { class: "soft", title: score.meaning }, words(score.name), " ", told),
      el("div", { class: "sparks", "aria-hidden": "true" }, [...counts].map(count => el("i", { style: { height: `${count && 8 + 92 * count / top}%` } }))),
      lower, upper);
    draw();
  }
}

/** Text as it is searched: full-width letters as usual ones, capitals as small ones. */
const plain = text => text.normalize("NFKC").toLowerCase();

const searched = [];

/** Everything of a frame that a search looks through. */
function textOf(frame) {
  const video = videoOf(frame);
  searched[frame] ??= plain([frames.id[frame], video.path, titleOf(frame), video.episode ?? "", frames.picture?.[frame] ?? "", frames.reason[frame] ?? ""].join("\n"));
  return searched[frame];
}
