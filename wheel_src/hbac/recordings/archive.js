"use strict";
// A click on a heading sorts the table by that column, first the largest on top; names first from the start.
(() => {
  const table = document.getElementById("archive");
  const heads = [...table.tHead.rows[0].cells];

  function sort(column) {
    const head = heads[column];
    const first = column === 0 ? "ascending" : "descending";
    const second = column === 0 ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => {
      const [x, y] = [Number(value(a)), Number(value(b))];
      return Number.isNaN(x) || Number.isNaN(y) ? value(a).localeCompare(value(b)) : x - y;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
  }

  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => sort(column)));
})();
