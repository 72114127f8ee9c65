// Tables that sort by a click on a head, and show their first rows until asked for more.

const rowsShown = 60;

/**
 * A table in a box that scrolls sideways. `columns` are { name, value, cell, isNumber, note }: `value(row)` is what
 * sorts and, without `cell(row)`, what is shown. `sorted` is [column, isDescending] at first; null leaves the order.
 */
function table(caption, columns, rows, sorted = null) {
  let shown = rowsShown;
  let order = sorted;
  const heads = columns.map((column, number) =>
    el(
      "th",
      { scope: "col", class: column.isNumber ? "number" : null },
      el(
        "button",
        {
          type: "button",
          title: column.note,
          onclick: () => {
            order = [number, order?.[0] === number ? !order[1] : Boolean(column.isNumber)];
            draw();
          },
        },
        column.name,
      ),
    ),
  );
  const body = el("tbody");
  const more = el("button", {
    type: "button",
    class: "more",
    onclick: () => {
      shown = rows.length;
      draw();
    },
  });

  function draw() {
    heads.forEach((head, number) =>
      head.setAttribute("aria-sort", order?.[0] === number ? (order[1] ? "descending" : "ascending") : "none"),
    );
    const listed = order
      ? [...rows].sort((a, b) => compare(columns[order[0]].value(a), columns[order[0]].value(b), order[1]))
      : rows;
    body.replaceChildren(
      ...listed.slice(0, shown).map(row =>
        el(
          "tr",
          {},
          columns.map(column => el("td", { class: kindOf(column, row) }, show(column, row))),
        ),
      ),
    );
    more.hidden = rows.length <= shown;
    more.textContent = `Show all ${number(rows.length)}`;
  }

  draw();
  return el(
    "div",
    { class: "table", role: "region", "aria-label": caption, tabindex: 0 },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, heads)), body),
    more,
  );
}

const longFrom = 24; // letters, from which on a text may be broken anywhere

function kindOf(column, row) {
  if (column.isNumber) return "number";
  return String(column.value(row) ?? "").length < longFrom ? null : "long";
}

function show(column, row) {
  if (column.cell) return column.cell(row);
  const value = column.value(row);
  return column.isNumber ? number(value) : (value ?? "–");
}

/** What is absent comes last, either way. */
function compare(a, b, isDescending) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  const order = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
  return isDescending ? -order : order;
}
