// The view of all frames: filters, order and the contact sheet. A decision changes a cell and leaves the list as it is,
// so that no frame runs away from under the pointer; the list is made anew when a filter is.

const everything = {
  text: "",
  verdict: "",
  title: "",
  rule: "",
  score: "",
  low: null,
  high: null,
  sort: "time",
  isDescending: false,
};

const orders = [
  ["earliest", "latest"],
  ["least", "greatest"],
];
const verdicts = { "": "all", kept: "kept", dropped: "dropped", open: "open", hand: "by hand", new: "changed here" };
const keys = {
  k: "keep",
  d: "drop",
  "⇧": "with it: and go on",
  n: "next",
  p: "previous",
  u: "undo",
  a: "by the rules",
  "↵": "look closer",
};

class Sheet {
  constructor(app) {
    this.app = app;
    this.asked = { ...everything, score: frames.scores[0]?.name ?? "" };
    this.grid = new Grid({ onOpen: frame => app.open(frame), onMove: frame => app.follow(frame) });
    this.found = el("output", { class: "soft", "aria-live": "polite" });
    this.form = this.filters();
    this.none = el(
      "p",
      { class: "notice" },
      "No frame matches these filters. ",
      el("button", { type: "button", name: "all", onclick: () => this.reset({}) }, "Show all frames"),
    );
    this.root = el(
      "div",
      { class: "view sheet" },
      this.form,
      frameCount ? null : el("p", { class: "notice" }, "No frames yet: ", command(commandOf("extract"))),
      this.none,
      this.grid.root,
    );
    decisions.addEventListener("change", () => this.tell());
  }

  filters() {
    const counted = (values, names) => {
      const counts = new Map();
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
      return names.map((name, value) => [value, `${isolated(name || "untitled")} (${number(counts.get(value) ?? 0)})`]);
    };
    const ofTitles = counted(
      frames.video.map(video => data.videos[video].title),
      data.titles,
    );
    const choice = (label, name, options) =>
      el(
        "label",
        {},
        label,
        el(
          "select",
          { name, onchange: event => this.ask({ [name]: event.target.value }) },
          options.map(([value, text]) => el("option", { value }, text)),
        ),
      );
    const scores = frames.scores.map(score => [score.name, words(score.name)]);
    this.range = el("div", { class: "range", role: "group", "aria-label": "Range of the score" });
    return el(
      "form",
      { class: "filters", role: "search", "aria-label": "Filters", onsubmit: event => event.preventDefault() },
      el(
        "label",
        { class: "wide" },
        "Search",
        el("input", {
          type: "search",
          name: "text",
          placeholder: "title, file, reason, frame",
          oninput: event => this.ask({ text: event.target.value }),
        }),
      ),
      choice("Verdict", "verdict", Object.entries(verdicts)),
      choice("Title", "title", [["", "all"], ...ofTitles]),
      choice("Reason", "rule", [["", "all"], ...counted(frames.rule, frames.rules)]),
      scores.length ? choice("Score", "score", scores) : null,
      this.range,
      choice("Sort by", "sort", [["time", "time"], ...scores]),
      el("button", {
        type: "button",
        name: "order",
        onclick: () => this.ask({ isDescending: !this.asked.isDescending }),
      }),
      el("button", { type: "button", name: "reset", onclick: () => this.reset({}) }, "Clear"),
      this.found,
      el(
        "p",
        { class: "keys soft", id: "keys" },
        Object.entries(keys).flatMap(([key, does]) => [el("kbd", {}, key), ` ${does}  `]),
      ),
    );
  }

  /** Only what `asked` says, everything else as at the beginning. */
  reset(asked) {
    this.asked = { ...everything, score: this.asked.score };
    this.ask({ low: null, high: null, ...asked });
  }

  /** Ask for other frames; while a bound is dragged its slider must stay. */
  ask(changes, { isDragging = false } = {}) {
    if ("score" in changes && !("low" in changes)) Object.assign(changes, { low: null, high: null });
    if ("sort" in changes) changes.isDescending = changes.sort !== "time";
    Object.assign(this.asked, changes);
    for (const name of ["text", "verdict", "title", "rule", "sort", "score"]) {
      const control = this.form.elements[name];
      if (control && control.value !== this.asked[name]) control.value = this.asked[name];
    }
    const { isDescending, sort } = this.asked;
    this.form.elements.order.textContent = `${orders[sort === "time" ? 0 : 1][Number(isDescending)]} first`;
    if (!isDragging) this.drawRange();
    this.grid.show(this.matching(), sort === "time" ? this.asked.score : sort);
    this.tell();
  }

  tell() {
    const { order } = this.grid;
    let kept = 0;
    for (const frame of order) kept += decisions.verdict(frame) === true;
    this.none.hidden = order.length > 0 || !frameCount;
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
      if (
        hasRange &&
        (values[frame] === null || values[frame] < (low ?? -Infinity) || values[frame] > (high ?? Infinity))
      )
        continue;
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

  drawRange() {
    const { score, low, high } = this.asked;
    const parts = score && range(byName[score], low, high, bounds => this.ask(bounds, { isDragging: true }));
    this.range.hidden = !parts;
    if (parts) this.range.replaceChildren(...parts);
  }
}

/** Text as it is searched: full-width letters as usual ones, capitals as small ones. */
const plain = text => text.normalize("NFKC").toLowerCase();

const searched = [];

/** Everything of a frame that a search looks through. */
function textOf(frame) {
  const video = videoOf(frame);
  searched[frame] ??= plain(
    [frames.id[frame], video.path, titleOf(frame), video.episode, frames.picture?.[frame], frames.reason[frame]].join(
      "\n",
    ),
  );
  return searched[frame];
}
