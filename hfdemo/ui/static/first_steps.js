// What a first visit may do, in its order: ticked as it is done, and gone for good when it is dismissed.
(() => {
  const KEY = "hfdemo-first-steps";
  const GONE = "gone";
  const read = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? [];
    } catch {
      return [];
    }
  };
  const write = (value) => {
    try {
      localStorage.setItem(KEY, JSON.stringify(value));
    } catch {} // a browser that keeps nothing shows them on each visit
  };
  const strip = () => document.querySelector(".hf-path");
  const draw = () => {
    const done = read();
    const found = strip();
    if (!found) return;
    found.hidden = done === GONE;
    for (const button of found.querySelectorAll("[data-step]")) {
      const isDone = done.includes(Number(button.dataset.step));
      button.classList.toggle("hf-done", isDone);
      button.title = isDone ? "done" : "";
    }
  };
  const tick = (step) => {
    const done = read();
    if (done === GONE || done.includes(step)) return;
    write([...done, step]);
    draw();
  };

  hfdemo.showFirstSteps = () => {
    draw();
    hfdemo.onPlace((place) => {
      if (place.tab === "tokens") tick(1);
      if (place.model?.startsWith("run:")) tick(3);
    });
  };
  hfdemo.on("click", "#run-now", () => tick(0)); // RUN_BUTTON
  hfdemo.on("click", "#start-training", () => tick(2)); // START_BUTTON
  hfdemo.on("click", ".hf-path [data-tab]", ({ dataset }) =>
    document.getElementById(`tab-${dataset.tab}-button`)?.click(),
  );
  hfdemo.on("click", ".hf-path .hf-dismiss", () => {
    write(GONE);
    draw();
  });
})();
