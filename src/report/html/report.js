"use strict";
// Takes over the table of all jobs: search, sort, filter, pages. Times become those of the reader's clocks.
// Whatever comes from outside goes into the page as text, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [RANK, LINE, SERVICE, NAME, IP, IMAGE, STATE, EXECUTED, PROOF, ATTEMPTS, TOOK, WHEN, KIND, MESSAGE, NOTE, GROUP] = Array(16).keys();
  const { rows, page: pageRows } = data;
  const element = (id) => document.getElementById(id);

  // Who types fast waits for one search and not for each.
  const TYPING_MS = 150;

  const day = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const brief = new Intl.DateTimeFormat(undefined, day);
  const whole = new Intl.DateTimeFormat(undefined, { ...day, year: "numeric", timeZoneName: "short" });
  const utc = (at) => new Date(at).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
  const count = new Intl.NumberFormat("en-US");

  /** Writes a moment as the reader's clocks do; UTC stands beside it, or appears where one points at it. */
  function localize(time, at) {
    // A broken clock's number stays what it is.
    if (Number.isNaN(at)) return;
    time.title = utc(at);
    if (time.dataset.utc === undefined) time.textContent = brief.format(at);
    else if (new Date(at).getTimezoneOffset() !== 0) time.textContent = `${whole.format(at)} (${utc(at).split(" ").slice(1).join(" ")})`;
  }

  function span(ms) {
    const all = Math.floor(ms / 1000);
    const [days, hours, minutes, seconds] = [Math.floor(all / 86400), Math.floor(all / 3600) % 24, Math.floor(all / 60) % 60, all % 60];
    if (days) return `${days}d ${hours}h`;
    if (hours) return `${hours}h ${minutes}m`;
    return minutes ? `${minutes}m ${seconds}s` : `${seconds}s`;
  }

  const image = (row) => (row[IMAGE] ? data.images[row[IMAGE] - 1] : null);
  const imageName = (row) => { const known = image(row); return known ? known[1] || known[0] : ""; };
  const kind = (row) => (row[KIND] ? data.kinds[row[KIND] - 1] : "");
  const message = (row) => (typeof row[MESSAGE] === "number" ? data.messages[row[MESSAGE] - 1] : row[MESSAGE] || "");
  const state = (row) => data.states[row[STATE]];
  // Which of the causes above a row belongs to, from 1 on; 0: it has not failed and is not in doubt.
  const causeOf = new Map(data.causes.flatMap(([, groups], place) => groups.map((group) => [group, place + 1])));
  const cause = (row) => causeOf.get(row[GROUP]) || 0;

  function make(name, text, properties) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(properties || {})) made.setAttribute(key, value);
    return made;
  }

  function badge([className, glyph, word]) {
    const made = make("span", undefined, { class: `state ${className}` });
    made.append(make("span", `${glyph} `, { "aria-hidden": "true" }), word);
    return made;
  }

  function said(row) {
    const cell = make("td", undefined, { role: "cell", class: "said" });
    if (row[KIND]) {
      cell.append(make("b", kind(row)));
      if (message(row)) cell.append(`: ${message(row)}`);
      cell.append("; ");
    }
    if (row[PROOF]) cell.append(data.proofs[row[PROOF] - 1]);
    else if (row[ATTEMPTS]) cell.append(data.executed[row[EXECUTED]]);
    if (row[ATTEMPTS] > 1) cell.append(`, submitted ${row[ATTEMPTS]} times`);
    if (row[NOTE]) cell.append(make("span", row[NOTE], { class: "note" }));
    return cell;
  }

  function line(row) {
    const made = make("tr", undefined, { role: "row" });
    const who = make("th", row[NAME] || row[SERVICE], { role: "rowheader", scope: "row" });
    const ids = [row[NAME] ? row[SERVICE] : null, row[IP], `line ${row[LINE]}`];
    who.append(make("span", ids.filter(Boolean).join(" · "), { class: "ids" }));
    const stands = make("td", undefined, { role: "cell" });
    stands.append(badge(state(row)));
    const at = make("td", undefined, { role: "cell", class: "count", "data-label": "when" });
    if (typeof row[WHEN] === "string") at.append(row[WHEN]);
    else if (row[WHEN] !== null) {
      const moment = data.base + row[WHEN];
      const time = make("time", undefined, { datetime: new Date(moment).toISOString() });
      localize(time, moment);
      at.append(time);
    }
    made.append(
      who,
      stands,
      make("td", imageName(row), { role: "cell", class: "image", "data-label": "image" }),
      make("td", row[TOOK] === null ? "" : span(row[TOOK]), { role: "cell", class: "count", "data-label": "took" }),
      at,
      said(row),
    );
    return made;
  }

  // What is shown: which rows, in which order, from where on.
  const view = { sorted: [], order: [], page: 0, sort: null, down: false };
  const found = element("found");
  const table = element("table");
  const body = table.tBodies[0];
  const fields = { search: element("search"), state: element("state"), image: element("image"), cause: element("cause") };

  const texts = new Map();
  function text(row) {
    // Written down when somebody searches for the first time.
    if (!texts.has(row)) {
      const all = [row[NAME], row[IP], row[SERVICE], imageName(row), state(row)[2], kind(row), message(row), row[NOTE], `line ${row[LINE]}`];
      texts.set(row, all.join("\n").toLowerCase());
    }
    return texts.get(row);
  }

  const collator = new Intl.Collator(undefined, { numeric: true });
  const sorts = {
    name: (a, b) => collator.compare(a[NAME] || "", b[NAME] || "") || a[SERVICE] - b[SERVICE],
    state: (a, b) => a[STATE] - b[STATE],
    image: (a, b) => collator.compare(imageName(a), imageName(b)),
    took: (a, b) => (a[TOOK] ?? -1) - (b[TOOK] ?? -1),
    when: (a, b) => since(a) - since(b) || 0,
    kind: (a, b) => collator.compare(kind(a), kind(b)) || collator.compare(message(a), message(b)),
  };
  // What has not happened comes before all else; what is beyond the calendar is a text that begins with its number.
  const since = (row) => (row[WHEN] === null ? -Infinity : Number.parseFloat(row[WHEN]));
  const asRanked = (a, b) => a[RANK] - b[RANK] || a[LINE] - b[LINE];

  /** Brings all rows into the order that is asked for. */
  function sort() {
    const by = view.sort && sorts[view.sort];
    const sign = view.down ? -1 : 1;
    view.sorted = [...rows].sort(by ? (a, b) => sign * by(a, b) || a[LINE] - b[LINE] : asRanked);
  }

  /** Takes the rows that are asked for out of all, in their order. */
  function select() {
    const words = fields.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = { state: fields.state.value, image: Number(fields.image.value), cause: Number(fields.cause.value) };
    view.order = view.sorted.filter((row) =>
      (!wanted.state || state(row)[0] === wanted.state)
      && (!wanted.image || row[IMAGE] === wanted.image)
      && (!wanted.cause || cause(row) === wanted.cause)
      && words.every((word) => text(row).includes(word)));
    view.page = 0;
    show();
  }

  // What is still to be done, and when: a later wish takes the place of the one before it.
  const due = { timer: null, sort: false };

  /** Selects after `ms`, and sorts before that where somebody has asked for another order. */
  function later(ms, isSorted) {
    clearTimeout(due.timer);
    due.sort ||= Boolean(isSorted);
    table.setAttribute("aria-busy", "true");
    due.timer = setTimeout(() => {
      if (due.sort) sort();
      due.sort = false;
      select();
      table.removeAttribute("aria-busy");
    }, ms);
  }

  function show() {
    const pages = Math.max(1, Math.ceil(view.order.length / pageRows));
    view.page = Math.min(Math.max(view.page, 0), pages - 1);
    const from = view.page * pageRows;
    const shown = view.order.slice(from, from + pageRows);
    body.replaceChildren(...shown.map(line));
    tell(from, shown.length, pages);
  }

  function tell(from, shown, pages) {
    const all = view.order.length;
    const of = all < rows.length ? ` of ${count.format(rows.length)}` : "";
    found.textContent = all
      ? `${count.format(all)}${of} jobs${pages > 1 ? `; shown are ${count.format(from + 1)} to ${count.format(from + shown)}` : ""}`
      : `No job is like that. All in all there are ${count.format(rows.length)}.`;
    element("page").textContent = `${count.format(view.page + 1)} of ${count.format(pages)}`;
    const ends = { first: view.page === 0, back: view.page === 0, next: view.page === pages - 1, last: view.page === pages - 1 };
    for (const button of element("pages").querySelectorAll("button")) button.disabled = ends[button.dataset.page];
    element("pages").hidden = pages === 1;
  }

  function turn(to) {
    const last = Math.ceil(view.order.length / pageRows) - 1;
    view.page = { first: 0, back: view.page - 1, next: view.page + 1, last }[to];
    show();
    table.scrollIntoView({ block: "start" });
  }

  function sortBy(key) {
    view.down = view.sort === key ? !view.down : key === "took" || key === "when";
    view.sort = key;
    for (const head of table.tHead.rows[0].cells) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    later(0, true);
  }

  /** Everything, in the order in which it began. */
  function clear() {
    view.sort = null;
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    for (const field of Object.values(fields)) field.value = "";
    later(0, true);
  }

  function options(field, entries) {
    for (const [value, name, many] of entries) field.append(make("option", `${name} (${count.format(many)})`, { value }));
  }

  /** Fills the filters with what there is, and how often. */
  function fill() {
    const [states, images, causes] = [new Map(), new Map(), new Map()];
    const more = (map, key) => map.set(key, (map.get(key) || 0) + 1);
    for (const row of rows) {
      more(states, state(row)[0]);
      if (row[IMAGE]) more(images, row[IMAGE]);
      if (row[GROUP]) more(causes, cause(row));
    }
    const words = new Map();
    for (const [className, , word] of data.states) if (!words.has(className)) words.set(className, word);
    const byCount = (map) => [...map].sort((a, b) => b[1] - a[1]);
    options(fields.state, byCount(states).map(([key, many]) => [key, words.get(key), many]));
    options(fields.image, byCount(images).map(([key, many]) => [key, data.images[key - 1][1] || data.images[key - 1][0], many]));
    options(fields.cause, byCount(causes).map(([key, many]) => [key, data.causes[key - 1][0], many]));
  }

  /** Says beside the times whose they are. */
  function tellZone() {
    const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const place of document.querySelectorAll("[data-zone]")) place.textContent = zone;
  }

  function start() {
    for (const head of table.tHead.rows[0].cells) {
      const button = make("button", undefined, { type: "button" });
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(head.dataset.key));
      head.replaceChildren(button);
    }
    const form = element("controls");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => later(event.target === fields.search ? TYPING_MS : 0));
    form.querySelector("button").addEventListener("click", clear);
    element("pages").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      turn(button.dataset.page);
      // Whoever turns pages with the keyboard must not fall out of the buttons at the last one.
      if (button.disabled) element("pages").querySelector("button:enabled").focus();
    });
    for (const button of document.querySelectorAll("button[data-cause]")) {
      button.addEventListener("click", () => {
        clear();
        fields.cause.value = button.dataset.cause;
        element("jobs").scrollIntoView();
        fields.search.focus({ preventScroll: true });
      });
    }
    for (const time of document.querySelectorAll("time")) localize(time, Date.parse(time.dateTime));
    fill();
    tellZone();
    sort();
    view.order = view.sorted;
    tell(0, Math.min(rows.length, pageRows), Math.max(1, Math.ceil(rows.length / pageRows)));
    document.documentElement.classList.add("js");
    performance.mark("ready");
  }

  start();
})();
