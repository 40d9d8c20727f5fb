/**
 * What the report's page runs: reading the map's data and telling what lies under the pointer.
 *
 * Plain JavaScript, put into the page as it stands, since the page must work from a file with
 * nothing beside it. Without it the page shows everything but the box at the pointer. It builds
 * text nodes only, never markup.
 */
export const COMPACT_SCRIPT: string = `
"use strict";

/** By cell, a list of [kind, pages]; equal neighbours share theirs. See encodeCells. */
function decodeCells(bytes) {
  const cells = [];
  let at = 0;
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const run = number();
    const kinds = Array.from({ length: number() }, () => [number(), number()]);
    for (let left = run; left > 0; left--) cells.push(kinds);
  }
  return cells;
}

function startMaps() {
  const maps = document.getElementById("maps");
  const facts = JSON.parse(document.getElementById("map-facts").textContent);
  const [before, after] = ["before", "after"].map((side) => {
    const text = document.getElementById("cells-" + side).textContent;
    return decodeCells(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  });
  const frames = [...maps.querySelectorAll(".map")];
  const tip = document.getElementById("tip");
  const rows = Math.ceil(before.length / facts.columns);
  let cell = 0;

  const marks = frames.map((frame) => {
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.hidden = true;
    frame.append(mark);
    return mark;
  });

  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }

  function describe() {
    const pagesPerCell = facts.blocksPerCell * facts.pagesPerBlock;
    const start = cell * pagesPerCell;
    const end = Math.min(start + pagesPerCell, facts.pageCount) - 1;
    const zone = facts.zones.find((each) => start < each.end && end >= each.start);
    const group = (value) => value.toLocaleString("en");
    const hex = (value) => "0x" + value.toString(16);
    const first = cell * facts.blocksPerCell;
    const last = first + facts.blocksPerCell - 1;
    const title = first === last ? "Block " + group(first) : "Blocks " + group(first) + "–" + group(last);
    const addresses = hex(start * 4096) + "–" + hex((end + 1) * 4096 - 1);
    const lines = [
      element("strong", title + (zone ? ", zone " + zone.name : "")),
      element("div", "addresses " + addresses),
      element("div", "frames " + group(start) + "–" + group(end)),
    ];
    const table = document.createElement("table");
    const head = document.createElement("tr");
    head.append(element("th", "pages"), element("th", "before"), element("th", "after"));
    table.append(head);
    const counts = new Map();
    for (const [side, cells] of [before, after].entries()) {
      for (const [kind, pages] of cells[cell]) {
        if (!counts.has(kind)) counts.set(kind, [0, 0]);
        counts.get(kind)[side] = pages;
      }
    }
    for (const [kind, [was, is]] of [...counts].sort(([a], [b]) => a - b)) {
      const row = document.createElement("tr");
      row.append(element("th", facts.kinds[kind]), element("td", group(was)), element("td", group(is)));
      table.append(row);
    }
    tip.replaceChildren(...lines, table);
  }

  function show(wanted, frame) {
    cell = Math.max(0, Math.min(before.length - 1, wanted));
    const column = cell % facts.columns;
    const row = Math.floor(cell / facts.columns);
    for (const mark of marks) {
      mark.hidden = false;
      mark.style.left = (100 * column) / facts.columns + "%";
      mark.style.top = (100 * row) / rows + "%";
      mark.style.width = 100 / facts.columns + "%";
      mark.style.height = 100 / rows + "%";
    }
    describe();
    tip.hidden = false;
    const around = maps.getBoundingClientRect();
    const box = frame.getBoundingClientRect();
    const x = box.left - around.left + (box.width * (column + 1)) / facts.columns + 12;
    const y = box.top - around.top + (box.height * (row + 1)) / rows + 12;
    tip.style.left = Math.max(0, Math.min(x, around.width - tip.offsetWidth)) + "px";
    tip.style.top = y + "px";
  }

  function hide() {
    tip.hidden = true;
    for (const mark of marks) mark.hidden = true;
  }

  function pointed(event) {
    const frame = event.currentTarget;
    const box = frame.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * facts.columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    if (column < 0 || column >= facts.columns || row < 0 || row >= rows) return hide();
    const wanted = row * facts.columns + column;
    if (wanted >= before.length) return hide();
    show(wanted, frame);
  }

  const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -facts.columns, ArrowDown: facts.columns };
  function pressed(event) {
    if (event.key === "Escape") return hide();
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const wanted = tip.hidden ? cell : cell + step;
    if (wanted >= 0 && wanted < before.length) show(wanted, event.currentTarget);
  }

  for (const frame of frames) {
    frame.tabIndex = 0;
    frame.addEventListener("pointermove", pointed);
    frame.addEventListener("pointerdown", pointed);
    frame.addEventListener("pointerleave", hide);
    frame.addEventListener("keydown", pressed);
    frame.addEventListener("blur", hide);
  }
  document.getElementById("map-help").hidden = false;
}
`;
