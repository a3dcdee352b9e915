// What a page would lose when it is loaded again: where it is stands in its address, and what was typed in the session
// storage, which each tab of a browser has of its own.
(() => {
  const FIRST = "run"; // the tab that gradio shows
  const PLACE = ["tab", "view", "step", "task", "model", "run"];
  const isOurs = (name) => !name.startsWith("__"); // gradio's own begin so
  const address = () => new URL(location.href);
  // A link that brings values says more than where it leads.
  const bringsValues = (url) => [...url.searchParams.keys()].some((name) => isOurs(name) && !PLACE.includes(name));
  const tabOf = ({ searchParams }) => searchParams.get("tab") || (searchParams.has("run") ? "finetune" : FIRST);
  const isLoadedAgain = () => performance.getEntriesByType("navigation")[0]?.type !== "navigate";

  // What was kept when this page was loaded. What it keeps from then on is its own, and no older than what is sent to a
  // tab that has not been opened yet.
  const loaded = {};
  try {
    // A link that brings values for a tab begins it anew.
    if (!isLoadedAgain() && bringsValues(address())) sessionStorage.removeItem(`hfdemo-${tabOf(address())}`);
    Object.assign(loaded, sessionStorage);
  } catch {} // not allowed
  const named = {}; // as it is now: an older entry of the browser's history may say otherwise
  const listeners = [];
  let isOpen = false; // until then gradio shows the first tab, whatever the address asks for
  const write = (places, method = "replaceState") => {
    Object.assign(named, places);
    for (const listen of listeners) listen(named);
    const url = address();
    const changed = Object.entries(places).filter(
      ([name, value]) => (url.searchParams.get(name) ?? "") !== (value || ""),
    );
    if (!changed.length) return;
    // The values of a link are those of the place that it led to.
    if (changed.some(([name]) => url.searchParams.has(name))) {
      for (const name of [...url.searchParams.keys()].filter(isOurs)) url.searchParams.delete(name);
      for (const [name, value] of Object.entries(named)) if (value) url.searchParams.set(name, value);
    }
    for (const [name, value] of changed) {
      if (value) url.searchParams.set(name, value);
      else url.searchParams.delete(name);
    }
    history[method](history.state, "", url);
  };
  const byName = (names, values) => Object.fromEntries(names.map((name, index) => [name, values[index]]));
  const tabButton = (name) => document.getElementById(`tab-${name}-button`);

  Object.assign(hfdemo, {
    // Have `listen` hear where the page is, whenever that changes.
    onPlace: (listen) => listeners.push(listen),

    // Each returns the function that gradio calls, as those of base.js.
    nameInAddress:
      (...names) =>
      (...values) =>
        write(byName(names, values)),
    // What a page opens with is named, too, unless it is a link's.
    nameFirst:
      (...names) =>
      (...values) => {
        const url = address();
        isOpen = true;
        if (bringsValues(url)) return;
        hfdemo.nameInAddress("tab", ...names)(tabOf(url), ...values);
      },
    nameTab: (tab) => () => {
      if (!isOpen && tab === FIRST && tabOf(address()) !== FIRST) return;
      // Going back leads to the tab before; the first one that a page opens is no step from another.
      const first = !address().searchParams.has("tab");
      write({ tab }, first ? "replaceState" : "pushState");
    },
    nameView: (view) => () => write({ view }),

    // Put what several fields show into one component, under their names.
    gather:
      (names) =>
      (...values) => [byName(names, values)],

    keep:
      (tab, about, fields) =>
      (...values) => {
        try {
          sessionStorage.setItem(`hfdemo-${tab}`, JSON.stringify({ about, values: byName(fields, values) }));
        } catch {} // larger than a browser keeps, or not allowed
      },
    // The last of the inputs takes what was kept of a tab.
    recall:
      (tab) =>
      (...given) => [...given.slice(0, -1), loaded[`hfdemo-${tab}`] ?? null],
  });

  // What one user has typed is not the next one's.
  hfdemo.on("click", ".hf-user a", () => sessionStorage.clear());

  window.addEventListener("popstate", () => {
    const tab = tabOf(address());
    named.tab = tab;
    write({ ...named });
    const button = tabButton(tab);
    if (button?.getAttribute("aria-selected") === "false") button.click();
  });
})();
