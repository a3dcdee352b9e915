// Fine-tune: what a click on drawn HTML tells gradio, what is asked before a run is thrown away, and downloads.
Object.assign(hfdemo, {
  // A component's HTML is drawn anew after every change; its element stays. `trigger` is gradio's.
  listenToFixes(element, trigger) {
    element.addEventListener("click", (event) => {
      const pressed = event.target.closest("button[data-do]");
      if (pressed) trigger("click", { pressed: pressed.dataset.do });
    });
  },
  listenToRuns(element, trigger) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-open]");
      if (button) trigger("select", { run: button.dataset.open });
    });
    element.addEventListener("change", () => {
      trigger("input", { runs: [...element.querySelectorAll("input:checked")].map((each) => each.value) });
    });
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
