// The answers of Run a model: images with a list of what is on them, two images under a slider, transcripts.
(() => {
  const { on } = hfdemo;

  // Ctrl or Cmd with Enter, wherever one types.
  document.addEventListener("keydown", (event) => {
    const button = document.getElementById("run-now"); // RUN_BUTTON
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !button?.checkVisibility()) return;
    event.preventDefault();
    button.click();
  });

  // A row of the list and its shape on the image carry the same data-n.
  const shapes = (look, number) => look.querySelectorAll(`.hf-shape[data-n="${number}"]`);
  const light = (row, lit) => {
    for (const mate of [row, ...shapes(row.closest(".hf-look"), row.dataset.n)]) mate.classList.toggle("hf-lit", lit);
  };
  const ROW = ".hf-look tr[data-n]";
  on("mouseover", ROW, (row) => light(row, true));
  on("mouseout", ROW, (row, event) => row.contains(event.relatedTarget) || light(row, false));
  on("focusin", ROW, (row, event) => event.target === row && light(row, true));
  on("focusout", ROW, (row, event) => event.target === row && light(row, false));
  on("change", ".hf-look input[type=checkbox]", (box) => {
    if (box.value === "all") {
      for (const each of box.closest("table").querySelectorAll("input:not([value=all])")) {
        if (each.checked !== box.checked) each.click();
      }
      return;
    }
    for (const shape of shapes(box.closest(".hf-look"), box.value)) shape.hidden = !box.checked;
  });

  const readPoint = (point) => {
    const map = point.closest(".hf-map");
    for (const lit of map.querySelectorAll("g.hf-lit")) lit.classList.remove("hf-lit");
    point.classList.add("hf-lit");
    map.querySelector(".hf-map-told").textContent = point.dataset.said;
  };
  on("mouseover", ".hf-map g", readPoint);
  on("keydown", ".hf-map svg", (picture, event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const points = [...picture.querySelectorAll("g")];
    const now = points.findIndex((point) => point.classList.contains("hf-lit"));
    readPoint(points[Math.min(points.length - 1, Math.max(0, now + step))]);
  });

  on("input", ".hf-compare > input[type=range]", (slider) => {
    slider.parentNode.style.setProperty("--hf-cut", `${slider.value}%`);
  });

  on("click", ".hf-transcript button[data-start]", (piece) => {
    const audio = piece.closest(".hf-transcript").querySelector("audio");
    audio.currentTime = Number(piece.dataset.start);
    audio.play();
  });
  // A timeupdate does not bubble: it is heard on its way down.
  on(
    "timeupdate",
    ".hf-transcript audio",
    (audio) => {
      for (const piece of audio.closest(".hf-transcript").querySelectorAll("button[data-start]")) {
        const { start, end } = piece.dataset;
        piece.classList.toggle("hf-now", Number(start) <= audio.currentTime && audio.currentTime < Number(end));
      }
    },
    true,
  );
})();
