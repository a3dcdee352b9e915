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
};

// A chart of gradio's that is taken away before it was in sight still hears that its size has changed, and fails.
window.ResizeObserver = class extends ResizeObserver {
  constructor(callback) {
    super((entries, observer) => {
      const present = entries.filter(({ target }) => target.isConnected);
      if (present.length) callback(present, observer);
    });
  }
};
