// The page: its head, its views, its keys.

const viewNames = {
  overview: "Overview",
  frames: "Frames",
  duplicates: "Duplicates",
  heights: "Heights",
  videos: "Videos",
};
const themes = { auto: "◐", light: "☀", dark: "☾" };
const themeKey = "apisr-report theme";

class App {
  constructor() {
    this.views = {};
    this.main = el("main", { id: "main", tabindex: -1 });
    this.panel = new Panel(this);
    this.said = el("p", { class: "unseen", role: "status", "aria-live": "polite" });
    this.links = Object.entries(viewNames).map(([name, label]) => el("a", { href: `#${name}` }, label));
    this.bar = el("div", { class: "decisions" });
    this.told = el("div", { class: "notice told", role: "status", hidden: true });
    document.body.append(
      el("button", { type: "button", class: "skip", onclick: () => this.skip() }, "Skip to the content"),
      this.head(),
      this.main,
      this.panel.root,
      this.said,
      el("div", { id: "tip", hidden: true }),
    );
    decisions.addEventListener("change", () => this.drawBar());
    const warn = () => {
      if (decisions.isStored) return;
      this.tell(notStored);
      decisions.removeEventListener("change", warn);
    };
    decisions.addEventListener("change", warn);
    addEventListener("hashchange", () => this.go());
    addEventListener("keydown", event => this.key(event));
    this.drawBar();
    this.go();
  }

  head() {
    const theme = el("button", {
      type: "button",
      class: "theme",
      onclick: () => {
        const names = Object.keys(themes);
        setTheme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
        name();
      },
    });
    const name = () => {
      const current = document.documentElement.dataset.theme;
      theme.replaceChildren(themes[current], el("span", {}, ` ${current}`));
      theme.setAttribute("aria-label", `Colours: ${current}`);
    };
    name();
    const head = el(
      "header",
      { class: "head" },
      el("h1", { title: `made ${data.dataset.made}` }, data.dataset.name),
      el("nav", { "aria-label": "Views" }, this.links),
      this.bar,
      theme,
      this.told,
    );
    new ResizeObserver(() => document.documentElement.style.setProperty("--head", `${head.offsetHeight}px`)).observe(
      head,
    );
    return head;
  }

  /** Past the head: to the frames, or the first thing of another view. */
  skip() {
    (this.name === "frames" ? this.sheet.grid.root : this.main).focus();
  }

  /** Show the view that the address names. */
  go() {
    const asked = location.hash.slice(1);
    const name = Object.hasOwn(viewNames, asked) ? asked : "overview";
    this.name = name;
    this.links.forEach(at =>
      at.hash === `#${name}` ? at.setAttribute("aria-current", "page") : at.removeAttribute("aria-current"),
    );
    const link = this.links.find(at => at.hash === `#${name}`);
    const nav = link.parentNode;
    nav.scrollLeft = link.offsetLeft - nav.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
    this.views[name] ??= this.make(name);
    this.main.replaceChildren(this.views[name]);
    scrollTo(0, 0);
    this.close();
    if (name !== "frames") return;
    this.sheet.grid.reveal();
    if (innerWidth > 1100 && this.sheet.grid.frame !== undefined) this.panel.open(this.sheet.grid.frame);
  }

  make(name) {
    if (name === "overview") return overview(this);
    if (name === "duplicates") return duplicates(this);
    if (name === "heights") return heights();
    if (name === "videos") return videos();
    this.sheet = new Sheet(this);
    this.sheet.ask({});
    return this.sheet.root;
  }

  /** The frames that `asked` lets through, as the filters of the sheet. */
  showFrames(asked) {
    this.views.frames ??= this.make("frames");
    this.sheet.reset(asked);
    location.hash = "frames";
  }

  open(frame) {
    this.panel.open(frame);
  }

  /** The sheet moved on: so does the panel, where it is open; it waits out of sight while no frame is listed. */
  follow(frame) {
    const isShown = this.panel.isOpen || this.isWaiting;
    this.isWaiting = isShown && frame === undefined;
    if (this.isWaiting) this.panel.close();
    else if (isShown) this.panel.open(frame);
  }

  close() {
    const hadFocus = this.panel.root.contains(document.activeElement);
    this.panel.close();
    this.isWaiting = false;
    if (hadFocus && this.name === "frames") this.sheet.grid.root.focus({ preventScroll: true });
  }

  /** The frame that keys are about. */
  get frame() {
    return this.panel.isOpen ? this.panel.frame : this.name === "frames" ? this.sheet.grid.frame : undefined;
  }

  step(by) {
    if (this.name === "frames") this.sheet.grid.move(by);
    else if (this.frame !== undefined) this.open(Math.max(0, Math.min(frameCount - 1, this.frame + by)));
  }

  decide(isKept) {
    if (this.frame === undefined) return;
    decisions.decide(this.frame, isKept);
    this.say(`${verdictName(decisions.verdict(this.frame))}: ${placeOf(this.frame)}`);
  }

  undo() {
    const frame = decisions.undo();
    if (frame !== undefined && this.name === "frames") this.sheet.grid.goTo(frame);
    this.say(
      frame === undefined ? "nothing to undo" : `undone: ${placeOf(frame)} is ${verdictName(decisions.verdict(frame))}`,
    );
  }

  say(text) {
    this.said.textContent = text;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") this.close();
    if (event.target.matches("input, select, textarea")) return;
    const acts = {
      k: () => this.decide(true),
      d: () => this.decide(false),
      a: () => this.decide(null),
      u: () => this.undo(),
      n: () => this.step(1),
      p: () => this.step(-1),
    };
    const act = acts[event.key.toLowerCase()];
    if (!act) return;
    act();
    if (event.shiftKey && "kd".includes(event.key.toLowerCase())) this.step(1);
    event.preventDefault();
  }

  drawBar() {
    const { count } = decisions;
    const hadFocus = this.bar.contains(document.activeElement) ? document.activeElement.name : null;
    this.bar.replaceChildren(
      el("span", { class: "soft" }, count ? `${plural(count, "decision")} to hand over` : "no decisions to hand over"),
      el(
        "button",
        { type: "button", name: "undo", disabled: !decisions.history.length, onclick: () => this.undo() },
        "Undo",
      ),
      el(
        "button",
        { type: "button", name: "download", class: count ? "strong" : null, onclick: () => this.download() },
        "Download overrides",
      ),
    );
    if (hadFocus) this.bar.querySelector(`[name=${hadFocus}]`).focus();
  }

  /** All decisions as a file, and what to do with it. */
  download() {
    const address = URL.createObjectURL(new Blob([decisions.csv()], { type: "text/csv" }));
    el("a", { href: address, download: "overrides.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    const before = data.stages.slice(0, data.stages.findIndex(({ stage }) => stage === "select"));
    const commands = [
      ...before.filter(({ state }) => state !== "done").map(({ stage }) => commandOf(stage)),
      `${commandOf("select")} --overrides overrides.csv`,
      commandOf("rescale"),
    ];
    this.tell("Now give it to the dataset:", ...commands.map(text => command(text)));
  }

  /** A notice in the head, until it is closed. */
  tell(...children) {
    this.told.hidden = false;
    this.told.replaceChildren(
      ...children,
      el(
        "button",
        {
          type: "button",
          class: "close",
          "aria-label": "Close",
          onclick: () => {
            this.told.hidden = true;
          },
        },
        "✕",
      ),
    );
  }
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem(themeKey, name);
  } catch {
    // then it holds until the page is closed
  }
}

function storedTheme() {
  try {
    const name = localStorage.getItem(themeKey);
    return Object.hasOwn(themes, name ?? "") ? name : "auto";
  } catch {
    return "auto";
  }
}

document.documentElement.dataset.theme = storedTheme();
new App();
