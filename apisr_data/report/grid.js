// The contact sheet: only the rows that are near the window are in the page, however many frames there are.

const cell_px = { least: 168, gap: 10, caption: 34 };
const rowsBeyond = 3;

/**
 * A grid of frames in an order; `onOpen(frame)` is called for a click on a picture and for Enter, `onMove(frame)` for
 * another active frame, undefined where none is listed.
 */
class Grid {
  constructor({ onOpen, onMove }) {
    this.order = [];
    this.active = 0;
    this.rows = new Map();
    this.columns = 1;
    this.width_px = 0;
    this.row_px = 1;
    this.onOpen = onOpen;
    this.onMove = onMove;
    this.shownScore = null;
    this.root = el("div", {
      class: "grid",
      role: "grid",
      tabindex: 0,
      "aria-label": "Frames",
      "aria-describedby": "keys",
      onclick: event => this.click(event),
      onkeydown: event => this.key(event),
    });
    new ResizeObserver(() => this.root.clientWidth !== this.width_px && this.measure()).observe(this.root);
    addEventListener("scroll", () => this.schedule(), { passive: true });
    addEventListener("resize", () => this.schedule());
    decisions.addEventListener("change", event => this.refresh(event.detail));
  }

  /** Show these frames, `score` under each; the first of them is active. */
  show(order, score) {
    this.order = order;
    this.shownScore = score;
    this.active = 0;
    this.measure();
    this.onMove(this.frame);
  }

  get frame() {
    return this.order[this.active];
  }

  measure() {
    const width = this.root.clientWidth;
    if (!width) return; // not in the page
    this.width_px = width;
    const least = Math.min(cell_px.least, (width - cell_px.gap) / 2);
    this.columns = Math.max(1, Math.floor((width + cell_px.gap) / (least + cell_px.gap)));
    const cell = (width - cell_px.gap * (this.columns - 1)) / this.columns;
    this.row_px = Math.round((cell * 9) / 16) + cell_px.caption + cell_px.gap;
    this.root.style.setProperty("--columns", this.columns);
    this.root.style.setProperty("--row", `${this.row_px - cell_px.gap}px`);
    this.root.style.height = `${Math.ceil(this.order.length / this.columns) * this.row_px}px`;
    this.root.setAttribute("aria-colcount", this.columns);
    this.root.setAttribute("aria-rowcount", Math.ceil(this.order.length / this.columns));
    this.redraw();
  }

  /** Bring the active frame back into the window, after another view. */
  reveal() {
    this.measure();
    if (this.order.length) this.activate(this.active);
  }

  schedule() {
    this.scheduled ??= requestAnimationFrame(() => {
      this.scheduled = undefined;
      this.paint();
    });
  }

  redraw() {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.paint();
  }

  /** Draw the cell of a frame anew, every cell for null; pictures stay, so that none flickers. */
  refresh(frame) {
    for (const cell of this.root.querySelectorAll("[data-place]")) {
      const place = Number(cell.dataset.place);
      if (frame !== null && this.order[place] !== frame) continue;
      const fresh = this.cell(place);
      fresh.querySelector(".thumbnail").replaceWith(cell.querySelector(".thumbnail"));
      cell.replaceWith(fresh);
    }
  }

  /** Put the rows into the page that should be there, and take the others out. */
  paint() {
    if (!this.root.clientWidth) return;
    const top = -this.root.getBoundingClientRect().top;
    const last = Math.ceil(this.order.length / this.columns) - 1;
    const from = Math.max(0, Math.floor(top / this.row_px) - rowsBeyond);
    const to = Math.min(last, Math.floor((top + innerHeight) / this.row_px) + rowsBeyond);
    const wanted = new Set([Math.floor(this.active / this.columns)].filter(row => row <= last));
    for (let row = from; row <= to; row++) wanted.add(row);
    for (const [row, element] of this.rows) {
      if (wanted.has(row)) continue;
      element.remove();
      this.rows.delete(row);
    }
    let next = null;
    for (const row of [...wanted].sort((a, b) => b - a)) {
      // from the last up: their order is the one that is read out
      if (!this.rows.has(row)) this.rows.set(row, this.row(row));
      const element = this.rows.get(row);
      if (element.parentNode !== this.root || element.nextSibling !== next) this.root.insertBefore(element, next);
      next = element;
    }
    this.root.setAttribute("aria-activedescendant", this.order.length ? `frame-${this.active}` : "");
  }

  row(row) {
    const places = [];
    for (let place = row * this.columns; place < Math.min(this.order.length, (row + 1) * this.columns); place++)
      places.push(place);
    return el(
      "div",
      {
        role: "row",
        class: "row",
        "aria-rowindex": row + 1,
        style: { transform: `translateY(${row * this.row_px}px)` },
      },
      places.map(place => this.cell(place)),
    );
  }

  cell(place) {
    const frame = this.order[place];
    const verdict = decisions.verdict(frame);
    const isByHand = decisions.decision(frame) !== undefined;
    const score = this.shownScore && byName[this.shownScore].values[frame];
    return el(
      "div",
      {
        role: "gridcell",
        id: `frame-${place}`,
        "data-place": place,
        title: data.videos.length > 1 ? `${placeOf(frame)}\n${reasonOf(frame)}` : reasonOf(frame),
        class: `cell ${verdictName(verdict)}${place === this.active ? " active" : ""}`,
        "aria-selected": String(place === this.active),
        "aria-label": `${placeOf(frame)}; ${verdictName(verdict)}${isByHand ? " by hand" : ""}: ${reasonOf(frame)}`,
      },
      thumbnail(frame),
      isByHand ? el("span", { class: `hand${decisions.isChanged(frame) ? " new" : ""}` }, "by hand") : null,
      el(
        "div",
        { class: "caption" },
        el("bdi", {}, frames.picture?.[frame] ?? clock(frames.time_s[frame])),
        el("span", { class: "score" }, this.shownScore ? number(score) : ""),
        verdictButtons(frame, verdict, -1),
      ),
    );
  }

  click(event) {
    const cell = event.target.closest("[data-place]");
    if (!cell) return;
    const button = event.target.closest("[data-keep]");
    this.activate(Number(cell.dataset.place));
    if (button) decisions.decide(this.frame, button.dataset.keep === "true");
    else this.onOpen(this.frame);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = this.columns * Math.max(1, Math.floor(innerHeight / this.row_px) - 1);
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: this.columns,
      ArrowUp: -this.columns,
      PageDown: page,
      PageUp: -page,
      Home: -this.order.length,
      End: this.order.length,
    };
    if (event.key in steps) this.move(steps[event.key]);
    else if (event.key === "Enter" && this.order.length) this.onOpen(this.frame);
    else return;
    event.preventDefault();
  }

  /** Go `step` frames on, as far as there are any. */
  move(step) {
    if (this.order.length) this.activate(Math.max(0, Math.min(this.order.length - 1, this.active + step)));
  }

  /** Go to a frame, where it is listed. */
  goTo(frame) {
    const place = this.order.indexOf(frame);
    if (place >= 0) this.activate(place);
  }

  activate(place) {
    const before = document.getElementById(`frame-${this.active}`);
    before?.classList.remove("active");
    before?.setAttribute("aria-selected", "false");
    this.active = place;
    this.paint();
    const cell = document.getElementById(`frame-${place}`);
    cell.classList.add("active");
    cell.setAttribute("aria-selected", "true");
    this.scrollTo(cell);
    this.onMove(this.frame);
  }

  /** Bring a cell into the window; scrollIntoView would also let Tab go on from there. */
  scrollTo(cell) {
    const { top, bottom } = cell.getBoundingClientRect();
    const above = top - cell_px.gap - Math.max(0, document.querySelector(".head").getBoundingClientRect().bottom);
    const below = bottom + cell_px.gap - innerHeight;
    if (above < 0) scrollBy(0, above);
    else if (below > 0) scrollBy(0, Math.min(above, below));
  }
}
