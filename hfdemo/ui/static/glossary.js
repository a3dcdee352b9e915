// The first of each word of the glossary in a tab is explained where it stands: when it is pointed at, tapped or focused.
(() => {
  // Where the page explains itself. What users, files and models supplied stands elsewhere.
  const PLACES = [
    ".hf-about, .hf-empty, .hf-note, .hf-facts, .hf-quiet, .hf-headline",
    ".hf-score > span:first-child, .hf-figures > div > span, .hf-figures small span", // of a result
    ".hf-stage > p, .hf-stage .hf-table th, .hf-stage .hf-table:not(.hf-tokens) td:nth-child(2)",
    ".hf-plan p, [data-testid='block-info']", // of a padding strategy, and what a field is called
  ].join();
  const NOT_IN = "code, a, button, summary, .hf-pieces";
  const PATIENCE = 250; // milliseconds: what is drawn at once is gone through once
  const AWAY = 200; // for which the card stays, so that one can get to it
  const { on } = hfdemo;
  const card = () => document.getElementById("hf-definition");

  const readForms = () => {
    const forms = new Map();
    for (const word of document.querySelectorAll(".hf-glossary dt")) {
      for (const form of word.dataset.forms.split("|")) forms.set(form, word.nextElementSibling.id);
    }
    return forms;
  };
  const matchForms = (forms) => {
    const longest = [...forms.keys()].sort((one, other) => other.length - one.length);
    return new RegExp(`(?<![\\p{L}\\p{N}_])(?:${longest.join("|")})(?![\\p{L}\\p{N}_])`, "giu");
  };
  const buildTerm = (text, meaning) => {
    const term = document.createElement("button");
    term.type = "button";
    term.className = "hf-term";
    term.textContent = text;
    term.setAttribute("aria-describedby", meaning);
    term.setAttribute("popovertarget", "hf-definition");
    term.setAttribute("popovertargetaction", "show");
    return term;
  };
  const markText = (text, forms, pattern, known) => {
    const isNew = ([form]) => {
      const meaning = forms.get(form.toLowerCase());
      return !known.has(meaning) && known.add(meaning);
    };
    for (const found of [...text.data.matchAll(pattern)].filter(isNew).reverse()) {
      const [form] = found;
      text.splitText(found.index).splitText(form.length);
      text.nextSibling.replaceWith(buildTerm(form, forms.get(form.toLowerCase())));
    }
  };
  const markTab = (tab, forms, pattern) => {
    const shown = [...tab.querySelectorAll(".hf-term")].filter((term) => term.checkVisibility());
    const known = new Set(shown.map((term) => term.getAttribute("aria-describedby")));
    for (const place of tab.querySelectorAll(PLACES)) {
      if (!place.checkVisibility()) continue;
      const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      const texts = [];
      while (walker.nextNode()) texts.push(walker.currentNode);
      for (const text of texts) {
        if (!text.parentElement.closest(NOT_IN)) markText(text, forms, pattern, known);
      }
    }
  };

  let forms;
  let pattern;
  let waiting = 0;
  const mark = () => {
    waiting = 0;
    if (!forms?.size) {
      forms = readForms();
      pattern = matchForms(forms);
    }
    if (!forms.size) return;
    for (const tab of document.querySelectorAll("#tab-run, #tab-tokens, #tab-finetune")) {
      if (tab.checkVisibility()) markTab(tab, forms, pattern);
    }
  };
  const markSoon = () => {
    if (!waiting) waiting = setTimeout(mark, PATIENCE);
  };
  new MutationObserver(markSoon).observe(document, { childList: true, characterData: true, subtree: true });
  document.addEventListener("click", markSoon, true); // a fold, or a tab

  let shown; // the term that the card is about
  let leaving = 0;
  const placeCard = () => {
    const { left, top, bottom } = shown.getBoundingClientRect();
    const { width, height } = card().getBoundingClientRect();
    const isBelow = bottom + 6 + height <= innerHeight || top < height;
    card().style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    card().style.top = `${isBelow ? bottom + 6 : top - height - 6}px`;
  };
  const showCard = (term) => {
    clearTimeout(leaving);
    const meaning = document.getElementById(term.getAttribute("aria-describedby"));
    const name = document.createElement("b");
    name.textContent = meaning.previousElementSibling.textContent;
    card().replaceChildren(name, ...meaning.cloneNode(true).childNodes);
    shown = term;
    if (!card().matches(":popover-open")) card().showPopover({ source: term });
    placeCard();
  };
  const hideCard = () => card().matches(":popover-open") && card().hidePopover();
  const hideSoon = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hideCard, AWAY);
  };
  const isCard = (element) => card().contains(element);

  on("pointerover", ".hf-term", (term, event) => event.pointerType === "touch" || showCard(term));
  on("pointerout", ".hf-term, .hf-definition", (_, event) => event.pointerType === "touch" || hideSoon());
  on("pointerover", ".hf-definition", () => clearTimeout(leaving));
  on("click", ".hf-term", showCard);
  on("focusin", ".hf-term", showCard);
  on("focusout", ".hf-term, .hf-definition", (_, { relatedTarget }) => isCard(relatedTarget) || hideSoon());
  document.addEventListener("scroll", () => shown && card().matches(":popover-open") && placeCard(), true);
})();
