// One listener per event for the whole page: what is drawn later is heard, too, and no markup holds code.
window.hfdemo = {
  // Call `handle(element, event)` for events within an element that `selector` fits.
  on(name, selector, handle, capture = false) {
    document.addEventListener(
      name,
      (event) => {
        const element = event.target.closest?.(selector);
        if (element) handle(element, event);
      },
      capture,
    );
  },

  // Tell those who can't see it what has changed in `element`: what `selector` finds there, or all of it, when it has
  // come to rest.
  announce(element, selector) {
    let said = "";
    let resting;
    const tell = () => {
      const found = selector ? [...element.querySelectorAll(selector)] : [element];
      // biome-ignore lint/performance/useDomNodeTextContent: it would run the words of two elements together
      const words = found.map((each) => each.innerText.trim()).join(". ");
      if (words && words !== said) hfdemo.say(words.slice(0, 300));
      said = words;
    };
    new MutationObserver(() => {
      clearTimeout(resting);
      resting = setTimeout(tell, 800);
    }).observe(element, { childList: true, subtree: true, characterData: true });
  },
  say(words) {
    let host = document.querySelector(".hf-aloud");
    if (!host) {
      host = document.createElement("div");
      host.className = "hf-aloud";
      // A log, of which what is new is told: of two that come at once, none takes the other's place.
      const log = document.createElement("div");
      log.setAttribute("role", "log");
      // Closed: who searches the page finds each text once, where it is drawn.
      host.attachShadow({ mode: "closed" }).append(log);
      host.said = [];
      host.tell = (text) => {
        const line = document.createElement("p");
        line.textContent = text;
        log.append(line);
        host.said.push(text);
        if (host.said.splice(0, host.said.length - 10).length) log.firstChild.remove();
      };
      document.body.append(host);
    }
    host.tell(words);
  },
};

// gradio keeps the Enter key, though not the space bar, from the buttons that ask for a file.
hfdemo.on("keydown", "button.upload-container", (button, event) => {
  if (event.key === "Enter") button.click();
});
