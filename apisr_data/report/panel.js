// One frame at the side: its picture, its verdict and why, its scores, and the frames that show the same.

class Panel {
  constructor(app) {
    this.app = app;
    this.frame = undefined;
    this.picture = undefined;
    this.root = el("aside", {
      class: "panel",
      "aria-label": "Frame",
      hidden: true,
      onclick: event => this.click(event),
    });
    decisions.addEventListener("change", () => this.isOpen && this.draw());
  }

  get isOpen() {
    return !this.root.hidden;
  }

  open(frame) {
    if (frame !== this.frame) this.picture = thumbnail(frame);
    this.frame = frame;
    this.root.hidden = false;
    document.body.classList.add("has-panel");
    this.draw();
  }

  close() {
    this.root.hidden = true;
    document.body.classList.remove("has-panel");
  }

  click(event) {
    const button = event.target.closest("[data-keep], [data-automatic]");
    if (button) decisions.decide(this.frame, "automatic" in button.dataset ? null : button.dataset.keep === "true");
  }

  draw() {
    const focused = this.root.contains(document.activeElement) ? document.activeElement.getAttribute("data-act") : null;
    const { frame } = this;
    const verdict = decisions.verdict(frame);
    const video = videoOf(frame);
    const act = (name, label, key, properties) =>
      el("button", { type: "button", "data-act": name, ...properties }, label, " ", el("kbd", {}, key));
    this.root.replaceChildren(
      ...[
        el(
          "header",
          {},
          el("h2", {}, titleOf(frame)),
          el(
            "button",
            {
              type: "button",
              class: "close",
              "data-act": "close",
              "aria-label": "Close",
              title: "Close (Esc)",
              onclick: () => this.app.close(),
            },
            "✕",
          ),
        ),
        this.picture,
        el("p", { class: "why" }, badge(verdict), " ", el("bdi", {}, reasonOf(frame))),
        el(
          "div",
          { class: "acts" },
          act("keep", "Keep", "k", { class: "keep", "data-keep": "true", "aria-pressed": String(verdict === true) }),
          act("drop", "Drop", "d", { class: "drop", "data-keep": "false", "aria-pressed": String(verdict === false) }),
          act("automatic", "By the rules", "a", {
            "data-automatic": true,
            disabled: decisions.decision(frame) === undefined,
          }),
          act("previous", "‹", "p", { "aria-label": "Previous frame", onclick: () => this.app.step(-1) }),
          act("next", "›", "n", { "aria-label": "Next frame", onclick: () => this.app.step(1) }),
        ),
        el(
          "dl",
          { class: "facts" },
          this.fact("file", video.path + (frames.picture?.[frame] ? `/${frames.picture[frame]}` : "")),
          frames.time_s[frame] === null || frames.picture?.[frame]
            ? null
            : this.fact("time", `${clock(frames.time_s[frame])} (${number(frames.time_s[frame])} s)`),
          this.fact("size", `${frames.width[frame]}×${frames.height[frame]}`),
          this.fact("frame", frames.id[frame]),
        ),
        this.scores(frame),
        this.alike(frame),
      ].filter(Boolean),
    );
    if (focused) this.root.querySelector(`[data-act=${focused}]`)?.focus();
  }

  fact(name, value) {
    return [el("dt", {}, name), el("dd", {}, value)];
  }

  /** Each score, and the share of all frames that have less. */
  scores(frame) {
    const rows = frames.scores.filter(score => score.values[frame] !== null);
    if (!rows.length) return null;
    return el(
      "table",
      { class: "scores" },
      el("caption", {}, "Scores; the bar shows how many frames have less"),
      el(
        "tbody",
        {},
        rows.map(score => {
          const share = shareBelow(score, score.values[frame]);
          return el(
            "tr",
            {},
            el("th", { scope: "row", title: score.meaning }, words(score.name)),
            el("td", { class: "number" }, number(score.values[frame])),
            el(
              "td",
              {},
              el("span", {
                class: "meter",
                role: "img",
                "aria-label": `more than ${Math.round(100 * share)}% of the frames`,
                style: { "--share": share },
              }),
            ),
          );
        }),
      ),
    );
  }

  /** The other frames of its group of duplicates. */
  alike(frame) {
    const members = groupOf(frame).filter(other => other !== frame);
    if (!members.length) return null;
    return el(
      "section",
      {},
      el("h3", {}, "Shows the same"),
      el(
        "div",
        { class: "strip" },
        members
          .slice(0, 24)
          .map(other =>
            el(
              "button",
              { type: "button", onclick: () => this.app.open(other), "aria-label": placeOf(other) },
              thumbnail(other),
              el("span", {}, other === frames.keeper[other] ? "the kept one" : clock(frames.time_s[other])),
            ),
          ),
      ),
    );
  }
}
