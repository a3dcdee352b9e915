// See the tokens: a text and its tokens light each other up, and the stages of a tokenizer what they share.
(() => {
  const { on } = hfdemo;

  // One text (.hf-linked). The one stop of the Tab key is a token; the arrow keys go on from there. Texts get into the
  // panel as textContent only.
  const slotOf = (view, target) => {
    const hit = target.closest?.("[data-g]");
    return !hit || hit.matches(".hf-slot") ? hit : view.querySelector(`.hf-slot[data-g="${hit.dataset.g}"]`);
  };
  const scrollIntoBox = (mate) => {
    const box = mate.closest(".hf-roll");
    const at = mate.getBoundingClientRect();
    const port = box.getBoundingClientRect();
    if (at.top < port.top) box.scrollTop -= port.top - at.top + 6;
    else if (at.bottom > port.bottom) box.scrollTop += Math.min(at.bottom - port.bottom + 6, at.top - port.top);
  };
  const factsOf = (slot) => {
    const name = document.createElement("bdi");
    name.textContent = slot.querySelector("bdi").textContent;
    const facts = slot.dataset.f.split("|").map((fact) => {
      const [key, value] = fact.split("=");
      const part = document.createElement("span");
      const bold = document.createElement("b");
      bold.textContent = value;
      part.append(`${key} `, bold);
      return part;
    });
    return [name, ...facts];
  };
  const show = (view, slot, pointedAt) => {
    for (const lit of view.querySelectorAll(".hf-lit, .hf-now")) lit.classList.remove("hf-lit", "hf-now");
    const info = view.querySelector(".hf-info");
    if (!info) return;
    info.classList.toggle("hf-told", !!slot);
    if (!slot) return;
    for (const mate of view.querySelectorAll(`[data-g="${slot.dataset.g}"]`)) {
      mate.classList.add("hf-lit");
      if (mate !== pointedAt && (mate === slot || !mate.matches(".hf-slot"))) scrollIntoBox(mate);
    }
    slot.classList.add("hf-now");
    info.querySelector("div").replaceChildren(...factsOf(slot));
  };
  const focused = (view) => {
    const slot = document.activeElement?.closest(".hf-slot");
    return slot && view.contains(slot) ? slot : null;
  };
  const focus = (view, slot) => {
    for (const stop of view.querySelectorAll('.hf-slot[tabindex="0"]')) stop.tabIndex = -1;
    slot.tabIndex = 0;
    slot.focus({ preventScroll: true });
  };
  // The nearest slot of the line above (way = -1) or below (way = 1).
  const neighbour = (slots, slot, way) => {
    const box = slot.getBoundingClientRect();
    const past = slots.filter((each) => way * (each.getBoundingClientRect().top - box.top) > 2);
    if (!past.length) return null;
    const tops = past.map((each) => each.getBoundingClientRect().top);
    const top = way > 0 ? Math.min(...tops) : Math.max(...tops);
    const away = (each) => Math.abs(each.getBoundingClientRect().left - box.left);
    const line = past.filter((each) => Math.abs(each.getBoundingClientRect().top - top) < 2);
    return line.reduce((best, each) => (away(each) < away(best) ? each : best));
  };

  on("mouseover", ".hf-linked", (view, event) => {
    const slot = slotOf(view, event.target);
    if (slot) show(view, slot, event.target.closest("[data-g]"));
  });
  on("mouseout", ".hf-linked", (view, event) => view.contains(event.relatedTarget) || show(view, focused(view)));
  on("focusin", ".hf-linked", (view, event) => event.target.matches(".hf-slot") && show(view, event.target));
  on("focusout", ".hf-linked", (view, event) => view.contains(event.relatedTarget) || show(view, null));
  on("click", ".hf-linked", (view, event) => {
    const slot = slotOf(view, event.target);
    if (slot && getSelection().isCollapsed) focus(view, slot);
  });
  on("keydown", ".hf-linked", (view, event) => {
    const slot = focused(view);
    if (!slot || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      slot.blur();
      show(view, null);
      return;
    }
    const slots = [...view.querySelectorAll(".hf-slot")];
    const here = slots.indexOf(slot);
    const next = {
      ArrowRight: () => slots[here + 1],
      ArrowLeft: () => slots[here - 1],
      Home: () => slots[0],
      End: () => slots[slots.length - 1],
      ArrowDown: () => neighbour(slots, slot, 1),
      ArrowUp: () => neighbour(slots, slot, -1),
    }[event.key];
    if (!next) return;
    event.preventDefault();
    const found = next();
    if (found) focus(view, found);
  });

  // The stages (.hf-linked-stages): a piece lights whatever came from the same characters, in every stage. One stop of
  // the Tab key a stage; the arrow keys go on from there, up and down to what came from the same characters.
  const PIECE = "[data-from]";
  const overlaps = (piece, other) =>
    piece.dataset.text === other.dataset.text &&
    (piece === other || (+piece.dataset.from < +other.dataset.to && +other.dataset.from < +piece.dataset.to));
  const lightPieces = (stages, event) => {
    const pointed = event.target.closest(PIECE);
    for (const piece of stages.querySelectorAll(PIECE)) {
      piece.classList.toggle("hf-lit", !!pointed && overlaps(piece, pointed));
    }
  };
  const darken = (stages) => {
    for (const piece of stages.querySelectorAll(".hf-lit")) piece.classList.remove("hf-lit");
  };
  on("mouseover", ".hf-linked-stages", lightPieces);
  on("mouseout", ".hf-linked-stages", (stages, event) => stages.contains(event.relatedTarget) || darken(stages));
  on("focusin", ".hf-linked-stages", lightPieces);
  on("focusout", ".hf-linked-stages", darken);
  on("keydown", ".hf-linked-stages", (stages, event) => {
    const piece = event.target.closest(PIECE);
    if (!piece) return;
    const across = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const down = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    let next = null;
    if (across) {
      const row = [...piece.parentNode.querySelectorAll(PIECE)];
      next = row[row.indexOf(piece) + across];
    }
    if (down) {
      const rows = [...stages.querySelectorAll(".hf-pieces")];
      const row = rows[rows.indexOf(piece.parentNode) + down];
      const mates = row ? [...row.querySelectorAll(PIECE)] : [];
      next = mates.find((mate) => mate.classList.contains("hf-lit")) || mates[0];
    }
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });
})();
