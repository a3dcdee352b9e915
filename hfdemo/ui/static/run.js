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

  // gradio gives an example that is a picture no name.
  new MutationObserver(() => {
    for (const [index, example] of document.querySelectorAll("button.gallery-item").entries()) {
      if (!example.textContent.trim()) example.setAttribute("aria-label", `Example ${index + 1}`);
      else example.removeAttribute("aria-label"); // its text came later
    }
  }).observe(document, { childList: true, subtree: true });

  // The tasks: a list of radio buttons in a fold. Arrow keys only move in it, since each choice draws a panel and may
  // load a model; Enter, Space or a click choose.
  let chosen; // the name of the task that is on view
  const showTask = (name) => {
    if (name) chosen = name;
    const picker = document.querySelector(".hf-tasks");
    const radio = picker?.querySelector(`input[value="${CSS.escape(chosen ?? "")}"]`);
    if (!radio) return;
    radio.checked = true;
    const now = picker.querySelector(".hf-task-now");
    for (const part of ["b", "small"]) {
      now.querySelector(part).textContent = radio.closest(".hf-task").querySelector(part).textContent;
    }
  };
  const searchTasks = (picker, text) => {
    const words = text.toLowerCase().split(/\s+/);
    let count = 0;
    for (const task of picker.querySelectorAll(".hf-task")) {
      task.hidden = !words.every((word) => task.dataset.words.includes(word));
      count += !task.hidden;
      // Of radio buttons the Tab key reaches the one that is checked, in sight or not.
      if (task.hidden) task.firstElementChild.checked = false;
    }
    for (const group of picker.querySelectorAll("fieldset"))
      group.hidden = !group.querySelector(".hf-task:not([hidden])");
    const said = count === 1 ? "1 task" : `${count || "No"} tasks`;
    picker.querySelector("[role=status]").textContent = text.trim() ? said : "";
    const own = picker.querySelector(`input[value="${CSS.escape(chosen ?? "")}"]`);
    if (own && !own.closest(".hf-task").hidden) own.checked = true;
  };
  Object.assign(hfdemo, {
    showTask,
    listenToTasks(element, trigger) {
      const picker = element.querySelector(".hf-tasks");
      const search = picker.querySelector("input[type=search]");
      const shown = () => [...picker.querySelectorAll(".hf-task:not([hidden]) > input")];
      const close = () => {
        picker.open = false;
        picker.querySelector("summary").focus();
      };
      const choose = (radio) => {
        if (radio.value !== chosen) trigger("select", { task: radio.value });
        showTask(radio.value);
        close();
      };
      let moves = false; // with an arrow key a browser clicks on the radio button that it moves to
      picker.addEventListener("keydown", (event) => {
        const { key, target } = event;
        if (key === "Escape" && picker.open) close();
        else if (target === search && key === "ArrowDown") shown()[0]?.focus();
        else if (target === search && key === "Enter" && search.value.trim()) shown().slice(0, 1).forEach(choose);
        else if (target.type === "radio" && (key === "Enter" || key === " ")) choose(target);
        else {
          moves = target.type === "radio" && key.startsWith("Arrow");
          setTimeout(() => {
            moves = false;
          });
          return;
        }
        event.preventDefault();
      });
      picker.addEventListener("click", ({ target }) => target.type === "radio" && !moves && choose(target));
      picker.addEventListener("focusout", ({ relatedTarget }) => picker.contains(relatedTarget) || showTask());
      search.addEventListener("input", () => searchTasks(picker, search.value));
      picker.addEventListener("toggle", () => {
        search.value = "";
        searchTasks(picker, "");
        showTask();
        if (picker.open) search.focus();
      });
      chosen ??= picker.querySelector("input:checked").value;
      showTask();
    },
  });

  // What speaks against a model stands beside its name in the list, which gradio draws anew as somebody types.
  let against = {};
  const markModels = () => {
    for (const option of document.querySelectorAll(".hf-models [role=option]")) {
      const said = against[option.getAttribute("aria-label")] ?? "";
      if ((option.dataset.against ?? "") === said) continue;
      option.dataset.against = said;
      option.setAttribute("aria-description", said);
    }
  };
  hfdemo.markModels = (found) => {
    against = found ?? {};
    markModels();
  };
  on("focusin", ".hf-models", (models) => {
    if (models.dataset.watched) return;
    models.dataset.watched = "yes";
    new MutationObserver(markModels).observe(models, {
      ...{ attributeFilter: ["aria-label"], attributes: true },
      ...{ childList: true, subtree: true },
    });
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
