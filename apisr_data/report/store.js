// What the page knows: the facts of the dataset, and the decisions made here, which the browser remembers.

const data = JSON.parse(document.getElementById("data").textContent);
const frames = data.frames;
const frameCount = frames.id.length;
const byName = Object.fromEntries(frames.scores.map(score => [score.name, score]));

const stageOf = name => data.stages.find(entry => entry.stage === name);
const commandOf = stage =>
  stage === "extract"
    ? `apisr-data extract VIDEOS... -d ${data.dataset.path}`
    : `apisr-data ${stage} ${data.dataset.path}`;

/** The command that comes next on the way to a stage: of the first that is not done, or of the stage itself. */
const commandTowards = stage =>
  commandOf(data.stages.find(entry => entry.state !== "done" || entry.stage === stage).stage);

const notStored = "This browser keeps nothing for this file: download your decisions before you close it.";

const videoOf = frame => data.videos[frames.video[frame]];
const titleOf = frame => data.titles[videoOf(frame).title] || "untitled";

/** Where a frame's thumbnail is; null where it has none. */
function thumbnailOf(frame) {
  const { inline, folder } = data.thumbnails;
  if (!inline) return `${encodeURIComponent(folder)}/${encodeURIComponent(frames.id[frame])}.jpg`;
  return inline[frame] && `data:image/jpeg;base64,${inline[frame]}`;
}

/** A frame's place in its title, or in its file where that has none, for people. */
function placeOf(frame) {
  const video = videoOf(frame);
  const where = frames.picture?.[frame] ?? clock(frames.time_s[frame]);
  return [data.titles[video.title] || video.path, video.episode, where].filter(Boolean).map(isolated).join(", ");
}

/**
 * The decisions of a person: those that the dataset remembers, and over them those made in this page. An event "change"
 * names the frame in its `detail`, null where any may have changed.
 *
 * A change is true (keep), false (drop) or null (a remembered decision is taken back). Changes and their history lie in
 * localStorage under the dataset and the file; frames that are gone keep theirs there, unseen.
 */
class Decisions extends EventTarget {
  constructor() {
    super();
    this.key = `apisr-report ${data.dataset.key} ${location.pathname}`;
    this.place = new Map(frames.id.map((id, frame) => [id, frame]));
    this.isStored = true;
    this.load();
    addEventListener("storage", event => {
      if (event.key !== this.key) return;
      this.load();
      this.tell(null);
    });
  }

  load() {
    let stored = {};
    try {
      stored = JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      this.isStored = false;
    }
    this.changes = new Map(Object.entries(stored.changes ?? {}));
    this.history = stored.history ?? [];
    for (const [id, isKept] of this.changes) {
      // what select has taken over since is no change any more
      if (!this.place.has(id) || (this.remembered(this.place.get(id)) ?? null) !== isKept) continue;
      this.changes.delete(id);
      this.history = this.history.filter(([changed]) => changed !== id);
    }
  }

  tell(frame) {
    this.dispatchEvent(new CustomEvent("change", { detail: frame }));
  }

  save(frame) {
    const text = JSON.stringify({ changes: Object.fromEntries(this.changes), history: this.history.slice(-1000) });
    try {
      localStorage.setItem(this.key, text);
    } catch {
      this.isStored = false;
    }
    this.tell(frame);
  }

  /** true, false, or undefined where the dataset remembers none. */
  remembered(frame) {
    return frames.decided[frame]?.[0];
  }

  /** true, false, or undefined where no person decided. */
  decision(frame) {
    const id = frames.id[frame];
    return this.changes.has(id) ? (this.changes.get(id) ?? undefined) : this.remembered(frame);
  }

  isChanged(frame) {
    return this.changes.has(frames.id[frame]);
  }

  /** Whether the frame is kept; null where nobody knows before select runs. */
  verdict(frame) {
    const decision = this.decision(frame);
    if (decision !== undefined) return decision;
    return this.isChanged(frame) ? null : frames.is_kept[frame];
  }

  /** Keep (true), drop (false), or leave it to the rules (null). */
  decide(frame, isKept) {
    const id = frames.id[frame];
    if ((this.decision(frame) ?? null) === isKept) return;
    this.history.push([id, this.changes.has(id) ? this.changes.get(id) : "unchanged"]);
    this.restore(id, isKept);
    this.save(frame);
  }

  restore(id, isKept) {
    const remembered = this.remembered(this.place.get(id)) ?? null;
    if (isKept === "unchanged" || isKept === remembered) this.changes.delete(id);
    else this.changes.set(id, isKept);
  }

  /** Take the last decision back; the frame that it was about, or undefined where there is none. */
  undo() {
    const last = this.history.pop();
    if (!last) return undefined;
    const frame = this.place.get(last[0]);
    this.restore(...last);
    this.save(frame ?? null);
    return frame;
  }

  /** Changes that the dataset does not know of. */
  get count() {
    let count = 0;
    for (const id of this.changes.keys()) count += this.place.has(id);
    return count;
  }

  /** Every decision, the dataset's and those made here, as `apisr-data select --overrides` reads them. */
  csv() {
    const quoted = text => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = data.lost_decisions.map(([id, isKept, because]) => [id, isKept, because ?? ""]);
    for (let frame = 0; frame < frameCount; frame++) {
      const decision = this.decision(frame);
      if (decision === undefined) continue;
      rows.push([frames.id[frame], decision, this.isChanged(frame) ? "by hand" : (frames.decided[frame][1] ?? "")]);
    }
    return ["frame_id,is_kept,reason", ...rows.map(row => row.map(String).map(quoted).join(","))].join("\n") + "\n";
  }
}

const decisions = new Decisions();

/** A verdict as a word and a class. */
const verdictName = isKept => (isKept === true ? "kept" : isKept === false ? "dropped" : "open");

/** Why a frame has its verdict, for people. */
function reasonOf(frame) {
  if (decisions.isChanged(frame)) {
    const decision = decisions.decision(frame);
    return decision === undefined
      ? "select decides when it runs again"
      : `${decision ? "kept" : "dropped"} by you, here`;
  }
  const standing = (_, rank, count, part) => {
    const place = count === "1" ? "the only candidate" : `number ${rank} of ${count} candidates`;
    return `${place} in part ${Number(part) + 1} of its video`;
  };
  return (frames.reason[frame] ?? "not selected yet")
    .replace(/^kept: /, "")
    .replace(/\brank (\d+) of (\d+) in partition (\d+)/, standing)
    .replace(/, whose share is (\d+)$/, ", which has room for $1");
}
