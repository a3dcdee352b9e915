// The steps of Fine-tune: one of their panels is in sight, and the address names it.
(() => {
  const STEPS = ["data", "check", "model", "train", "result"];
  const tabOf = (step) => document.getElementById(`step-${step}-tab`);
  const address = new URL(location.href).searchParams; // as the page was asked for: it names its tab itself then

  const show = (step) => {
    current = step;
    document.body.dataset.step = step; // by which steps.css shows the panel, whenever that is laid out
    for (const each of STEPS) {
      const tab = tabOf(each);
      tab?.setAttribute("aria-selected", String(each === step));
      if (tab) tab.tabIndex = each === step ? 0 : -1;
      const panel = document.getElementById(`step-${each}`);
      panel?.setAttribute("role", "tabpanel");
      panel?.setAttribute("aria-labelledby", `step-${each}-tab`);
    }
    const next = document.querySelector(".hf-next");
    const following = STEPS[STEPS.indexOf(step) + 1];
    if (next) next.hidden = !following;
    if (!next || !following) return;
    next.dataset.openStep = following;
    next.textContent = `Next: ${tabOf(following).lastChild.textContent}`;
  };
  const open = (step) => {
    show(step);
    hfdemo.nameInAddress("step")(step);
  };
  // A run that was asked for is what is looked at.
  const asked = address.get("step") || (address.has("run") && !address.has("tab") ? "result" : STEPS[0]);
  let current = STEPS.includes(asked) ? asked : STEPS[0];

  Object.assign(hfdemo, {
    startSteps: () => show(current),
    // What an event of gradio calls.
    openStep: (step) => () => open(step),
    openStepUnless: (selector, step) => () => document.querySelector(selector) || open(step),
  });

  hfdemo.on("click", "[data-open-step]", ({ dataset }) => {
    open(dataset.openStep);
    const field = dataset.field && document.querySelector(`#field-${dataset.field}`);
    if (!field) return tabOf(dataset.openStep)?.focus();
    field.scrollIntoView({ block: "center" });
    field.querySelector("input, textarea")?.focus();
  });
  hfdemo.on("keydown", ".hf-step-tabs [role=tab]", (_tab, event) => {
    const last = STEPS.length - 1;
    const now = STEPS.indexOf(current);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const step = STEPS[Math.min(Math.max(next, 0), last)];
    open(step);
    tabOf(step).focus();
  });
})();
