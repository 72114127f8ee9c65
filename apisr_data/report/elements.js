// Building blocks of the page. Text is always set as text, never as markup.

/** An element; `properties` are attributes, `on...` functions, `style` an object. null and false are left out. */
function el(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same for SVG. */
function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

const formatted = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 3 });

/** A count or a measured value, short. */
function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? formatted.format(value) : formatted.format(Number(value.toPrecision(4)));
}

function percent(part, whole) {
  if (!whole) return "–";
  const share = (100 * part) / whole;
  return `${share > 0 && share < 10 ? share.toFixed(1) : Math.round(share)}%`;
}

/** Seconds as 1:02:03, or 2:03. */
function clock(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.floor(Math.abs(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = value => String(value).padStart(2, "0");
  return (seconds < 0 ? "-" : "") + (h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`);
}

/** Bytes as 1.5 kB (1000 bytes) or 3 MB. */
function bytes(count) {
  const [unit, scale] = count >= 1e6 ? ["MB", 1e6] : count >= 1e3 ? ["kB", 1e3] : ["B", 1];
  return `${Number((count / scale).toPrecision(count / scale >= 100 ? 3 : 2))} ${unit}`;
}

/** A name of a column as words. */
const words = name => name.replaceAll("_", " ");

const rightToLeft = /[\p{Bidi_C}\u0590-\u08ff\ufb1d-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A name from the dataset, to stand within our own text: its direction ends where it ends. */
const isolated = text =>
  rightToLeft.test(text) ? `\u2068${text.replaceAll(/[\u2066-\u2069]/g, "")}\u2069` : text;

/** A command to copy. */
const command = text => el("code", { class: "command" }, text);

const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** A button that looks like a link. */
const link = (text, act) => el("button", { type: "button", class: "link", onclick: act }, text);
