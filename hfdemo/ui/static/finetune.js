// Fine-tune: what a click on drawn HTML tells gradio, what is asked before a run is thrown away, and downloads.
Object.assign(hfdemo, {
  // A component's HTML is drawn anew after every change; its element stays. `trigger` is gradio's.
  listenToFixes(element, trigger) {
    element.addEventListener("click", (event) => {
      const pressed = event.target.closest("button[data-do]");
      if (pressed) trigger("click", { pressed: pressed.dataset.do });
    });
  },
  // The table is drawn anew whenever a run comes to another state, maybe from before the latest tick: what is ticked is
  // kept here. A run that is gone is no longer compared.
  listenToRuns(element, trigger) {
    const ticked = new Set();
    const boxes = () => [...element.querySelectorAll("input[type=checkbox]")];
    const tell = () =>
      trigger("input", {
        runs: boxes()
          .map((box) => box.value)
          .filter((run) => ticked.has(run)),
      });
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-open]");
      if (button) trigger("select", { run: button.dataset.open });
    });
    element.addEventListener("change", ({ target }) => {
      if (target.checked) ticked.add(target.value);
      else ticked.delete(target.value);
      tell();
      if (ticked.size > 1) hfdemo.openStep("result")(); // where they stand side by side
    });
    new MutationObserver(() => {
      const drawn = boxes();
      for (const box of drawn) box.checked = ticked.has(box.value);
      const gone = [...ticked].filter((run) => !drawn.some((box) => box.value === run));
      for (const run of gone) ticked.delete(run);
      if (gone.length) tell();
    }).observe(element, { childList: true, subtree: true });
  },

  // Of each field what was found for the value that it had then, if it still has that: an empty number is sent as 0.
  fillIn:
    (names) =>
    (found, ...now) =>
      now.map((value, index) => {
        const fitting = found?.[names[index]];
        return fitting && (fitting.for ?? 0) === (value ?? 0) ? fitting.value : value;
      }),

  // What becomes of each row whose label may be wrong; a menu that is left as it is says nothing.
  listenToLabels(element, trigger) {
    let number = 0; // several may be on their way at once, and come in another order
    element.addEventListener("change", ({ target }) => {
      if (!target.matches("select[data-correction]")) return;
      const menus = [...element.querySelectorAll("select[data-correction]")];
      number += 1;
      trigger("input", { number, fixes: menus.map((menu) => menu.value).filter(Boolean) });
    });
  },

  // What may help a run that failed.
  listenToRemedies(element, trigger) {
    element.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-remedy]");
      if (button) trigger("input", { remedy: button.dataset.remedy });
    });
  },

  // Why the model said what it said of a row, and the way back from the rows of one cell to all of them.
  listenToWhy(element, trigger) {
    element.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-why], button[data-all]");
      if (button?.dataset.why) trigger("input", { row: Number(button.dataset.why) });
      else if (button) trigger("select", {});
    });
  },

  // The rows of a cell.
  listenToMatrix(element, trigger) {
    element.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-truth]");
      if (!button) return;
      for (const pressed of element.querySelectorAll("[aria-pressed]")) pressed.removeAttribute("aria-pressed");
      button.setAttribute("aria-pressed", "true");
      trigger("select", { truth: Number(button.dataset.truth), given: Number(button.dataset.given) });
    });
    // Another matrix stands in the order of its labels.
    new MutationObserver(() => {
      for (const menu of element.querySelectorAll("select")) menu.value = "";
    }).observe(element, { subtree: true, attributeFilter: ["title"] });
  },

  // The words on the button say whether the run waits, and so has nothing to throw away. null: they changed their mind.
  confirmCancel: (leave) => (run, words) =>
    confirm(
      words === leave
        ? `Take ${run} out of the queue?`
        : `Cancel ${run} and throw away what it has learned since its last checkpoint?`,
    )
      ? [run, words]
      : [null, words],
  confirmDelete: (run) => (confirm(`Delete ${run} and its model for good?`) ? run : null),

  // The server knows the query of a link alone. A run that was chosen meanwhile is not the one that the link shows.
  copyAddress(query, run) {
    const address = new URL(query, location.href);
    if (address.searchParams.get("run")?.split(".")[0] !== run) return "";
    navigator.clipboard?.writeText(address.href).catch(() => {}); // not allowed: it can be copied from the box
    return address.href;
  },

  // The browser saves the file whose address it was just told.
  saveFile(file) {
    if (!file) return;
    const link = document.createElement("a");
    link.href = file.url;
    link.download = file.orig_name || "";
    document.body.append(link);
    link.click();
    link.remove();
  },
});

// A fold of gradio's is opened, and brought into sight.
hfdemo.on("click", "button[data-unfold]", ({ dataset: { unfold } }) => {
  document.querySelector(`#${unfold} button.label-wrap:not(.open)`)?.click();
  setTimeout(hfdemo.scrollTo(unfold), 150);
});

// The labels of a confusion matrix in another order: rows and columns go together, so that what is right stays on the
// diagonal.
hfdemo.on("change", "select[data-order]", (menu) => {
  const rows = [...menu.closest(".hf-matrix").querySelectorAll("tr")];
  for (const each of [...rows, ...rows.flatMap((row) => [...row.cells])])
    each.dataset.place ??= [...each.parentNode.children].indexOf(each);
  const order = menu.value ? JSON.parse(menu.dataset.order) : JSON.parse(menu.dataset.order).sort((a, b) => a - b);
  const wanted = ["0", ...order.map((label) => String(label + 1))];
  const sort = (parts, parent) =>
    parent.append(...wanted.map((place) => parts.find((part) => part.dataset.place === place)));
  for (const row of rows) sort([...row.cells], row);
  sort(rows, rows[0].parentNode);
});
