// Line charts: what is pointed at is shown in all charts of a group at once, a part can be seen alone, and each can be
// saved. While a run trains, gradio changes what is drawn in place: its elements stay, what was added to them does not.
Object.assign(
  hfdemo,
  (() => {
    const NAMESPACE = "http://www.w3.org/2000/svg";
    const COPIED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity"];
    const COPIED_OF_TEXT = ["font-size", "font-family", "font-weight", "text-anchor"];
    let looked = null; // {group, x}: the value on the axis across that is looked at
    let begun = null; // {svg, group, from, to}: the part that is being chosen, in the units of the picture
    let read = new WeakMap(); // the lines of each chart as it is drawn now

    const element = (name, attributes, parent) => {
      const made = document.createElementNS(NAMESPACE, name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      parent?.append(made);
      return made;
    };
    const format = (value) =>
      Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
    const formatTime = (seconds) => {
      const whole = Math.round(seconds);
      return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
    };
    const WORDS = { step: (x) => `step ${x}`, epoch: (x) => `epoch ${x}`, seconds: formatTime };

    // The series of a chart, each with the places of its points in the picture.
    function linesOf(figure) {
      if (!read.has(figure)) {
        const drawn = [...figure.querySelectorAll(".hf-series[points]")];
        const places = (line) =>
          line
            .getAttribute("points")
            .split(" ")
            .filter(Boolean)
            .map((pair) => pair.split(",").map(Number));
        read.set(
          figure,
          JSON.parse(figure.dataset.series).map((line, index) => ({ ...line, places: places(drawn[index]) })),
        );
      }
      return read.get(figure);
    }

    function nearest(values, wanted) {
      let best = -1;
      values.forEach((value, index) => {
        if (best < 0 || Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = index;
      });
      return best;
    }

    const plotOf = (svg) => svg.dataset.plot.split(" ").map(Number); // left, right, top, bottom, and the values at left and right
    const placeOf = (svg, { clientX }) => {
      const { left, width } = svg.getBoundingClientRect();
      return ((clientX - left) / width) * svg.viewBox.baseVal.width;
    };

    function showIn(figure, axis, x) {
      const svg = figure.querySelector(":scope > svg");
      const [left, right, top, bottom] = plotOf(svg);
      const numbers = [...figure.querySelectorAll(".hf-key b")];
      figure.querySelector(".hf-cursor")?.remove();
      const group = x === null ? null : element("g", { class: "hf-cursor" }, svg);
      let closest = null;
      linesOf(figure).forEach((line, index) => {
        const at = x === null ? -1 : nearest(line[axis], x);
        const raw = line.smoothed && at >= 0 ? ` (${format(line.value[at])})` : "";
        numbers[index].textContent =
          at < 0 ? numbers[index].dataset.last : format((line.smoothed ?? line.value)[at]) + raw;
        if (at < 0) return;
        const [cx, cy] = line.places[at];
        const off = Math.abs(line[axis][at] - x);
        if (!closest || off < closest.off) closest = { off, cx, x: line[axis][at] };
        if (cx < left - 1 || cx > right + 1) return;
        const look = svg.querySelectorAll(".hf-series[points]")[index].parentNode.getAttribute("class");
        element("circle", { class: look, cx, cy, r: 4 }, group);
      });
      if (closest && closest.cx >= left - 1 && closest.cx <= right + 1) {
        const { cx } = closest;
        const text = element(
          "text",
          { x: cx, y: top - 6, "text-anchor": cx > (left + right) / 2 ? "end" : "start" },
          group,
        );
        text.textContent = WORDS[axis](closest.x);
        const { x: from, y, width, height } = text.getBBox();
        group.prepend(element("line", { x1: cx, x2: cx, y1: top, y2: bottom }));
        group.prepend(element("rect", { x: from - 2, y, width: width + 4, height }));
      }
    }

    function show() {
      for (const charts of document.querySelectorAll(".hf-charts")) {
        const x = looked?.group === charts.dataset.group ? looked.x : null;
        for (const figure of charts.querySelectorAll(".hf-chart")) showIn(figure, charts.dataset.x, x);
      }
    }

    function lookAt(figure, x) {
      looked = x === null ? null : { group: figure.parentNode.dataset.group, x };
      show();
    }

    const valuesOf = (figure) => {
      const axis = figure.parentNode.dataset.x;
      return [...new Set(linesOf(figure).flatMap((line) => line[axis]))].sort((one, other) => one - other);
    };

    function follow(svg, event) {
      const figure = svg.parentNode;
      const [left, right, , , low, high] = plotOf(svg);
      const values = valuesOf(figure);
      const wanted = low + ((placeOf(svg, event) - left) / (right - left)) * (high - low);
      const found = values[nearest(values, wanted)];
      if (found !== undefined && (looked?.x !== found || looked.group !== figure.parentNode.dataset.group))
        lookAt(figure, found);
    }

    // Keys go from point to point, and say what is there; + shows a part around it alone.
    function press(svg, event, zoom) {
      const figure = svg.parentNode;
      const values = valuesOf(figure);
      const now = looked ? nearest(values, looked.x) : -1;
      const places = {
        ArrowRight: now + 1,
        ArrowLeft: now < 0 ? values.length - 1 : now - 1,
        Home: 0,
        End: values.length - 1,
      };
      if (event.key === "Escape") lookAt(figure, null);
      else if (event.key === "-") zoom(null);
      else if (event.key === "+" && looked) {
        const [, , , , low, high] = plotOf(svg);
        zoom([Math.max(low, looked.x - (high - low) / 4), Math.min(high, looked.x + (high - low) / 4)]);
      } else if (event.key in places) {
        const x = values[Math.min(Math.max(places[event.key], 0), values.length - 1)];
        lookAt(figure, x);
        const told = [...figure.querySelectorAll(".hf-key li")].map((line) => line.textContent.trim());
        hfdemo.say(`${WORDS[figure.parentNode.dataset.x](x)}: ${told.join(", ")}`);
      } else return;
      event.preventDefault();
    }

    function choose(event) {
      const at = placeOf(begun.svg, event);
      const [left, right, top, bottom] = plotOf(begun.svg);
      begun.to = Math.min(Math.max(at, left), right);
      begun.svg.querySelector(".hf-selected")?.remove();
      if (Math.abs(begun.to - begun.from) < 6) return;
      const x = Math.min(begun.from, begun.to);
      const size = { width: Math.abs(begun.to - begun.from), height: bottom - top };
      element("rect", { class: "hf-selected", x, y: top, ...size }, begun.svg);
    }

    function chosen() {
      const [left, right, , , low, high] = plotOf(begun.svg);
      begun.svg.querySelector(".hf-selected")?.remove();
      const ends = [begun.from, begun.to].map((at) => low + ((at - left) / (right - left)) * (high - low));
      return Math.abs(begun.to - begun.from) < 6 ? null : ends.sort((one, other) => one - other);
    }

    function save(figure, kind) {
      const name = `${figure.parentNode.dataset.group}-${figure.dataset.name}.${kind}`;
      const keep = (blob) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      };
      if (kind === "csv") return keep(new Blob([tableOf(figure)], { type: "text/csv" }));
      const picture = pictureOf(figure);
      const blob = new Blob([new XMLSerializer().serializeToString(picture)], { type: "image/svg+xml" });
      if (kind === "svg") return keep(blob);
      const image = new Image();
      image.onload = () => {
        const canvas = document.createElement("canvas");
        const { width, height } = picture.viewBox.baseVal;
        Object.assign(canvas, { width: 3 * width, height: 3 * height });
        canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
        canvas.toBlob(keep);
        URL.revokeObjectURL(image.src);
      };
      image.src = URL.createObjectURL(blob);
    }

    function tableOf(figure) {
      const quote = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
      const lines = linesOf(figure);
      const names = ["step", "epoch", "seconds", "value", ...(lines.some((line) => line.smoothed) ? ["smoothed"] : [])];
      const rows = lines.flatMap((line) =>
        line.step.map((_, index) => [quote(line.name), ...names.map((name) => line[name]?.[index] ?? "")].join(",")),
      );
      return `${[["series", ...names].join(","), ...rows].join("\n")}\n`;
    }

    // A picture by itself has no style sheet: each element is given the style that it has on the page.
    function pictureOf(figure) {
      const svg = figure.querySelector(":scope > svg");
      const dress = (from, to) => {
        const style = getComputedStyle(from);
        for (const name of from.matches("text") ? [...COPIED, ...COPIED_OF_TEXT] : COPIED)
          to.style.setProperty(name, style.getPropertyValue(name));
      };
      const copy = svg.cloneNode(true);
      [...svg.querySelectorAll("*")].forEach((from, index) => void dress(from, copy.querySelectorAll("*")[index]));
      copy.querySelector(".hf-cursor")?.remove();
      const { width, height } = svg.viewBox.baseVal;
      const legend = [...figure.querySelectorAll(".hf-key li")];
      const whole = { width, height: height + 30 + 18 * legend.length };
      const ink = getComputedStyle(figure).color;
      const words = (text, x, y, size) => {
        const style = `font: ${size}px ${getComputedStyle(figure).fontFamily.replaceAll('"', "'")}; fill: ${ink}`;
        element("text", { x, y, style }, copy).textContent = text;
      };
      for (const name of ["tabindex", "data-plot"]) copy.removeAttribute(name);
      copy.setAttribute("viewBox", `0 -26 ${whole.width} ${whole.height}`);
      copy.setAttribute("width", 2 * whole.width);
      copy.setAttribute("height", 2 * whole.height);
      const ground = getComputedStyle(figure).getPropertyValue("--block-background-fill");
      copy.prepend(element("rect", { x: 0, y: -26, ...whole, style: `fill: ${ground}` }));
      words(figure.querySelector("figcaption b").textContent, 10, -9, 14);
      legend.forEach((line, index) => {
        const sample = element("g", { transform: `translate(44 ${height + 2 + 18 * index})` }, copy);
        for (const part of line.querySelectorAll("svg *")) dress(part, sample.appendChild(part.cloneNode()));
        words(line.querySelector("span").textContent, 80, height + 11 + 18 * index, 12);
      });
      return copy;
    }

    return {
      listenToCharts(charts, trigger) {
        const zoom = (part) => trigger("input", { zoom: part });
        const svgOf = ({ target }) => target.closest?.(".hf-chart > svg");
        charts.addEventListener("pointermove", (event) => {
          const svg = svgOf(event);
          if (begun?.svg.isConnected) choose(event);
          else if (svg) follow(svg, event);
        });
        charts.addEventListener("pointerleave", () => {
          if (!charts.querySelector(":focus-visible")) looked = null;
          show();
        });
        charts.addEventListener("pointerdown", (event) => {
          const svg = svgOf(event);
          if (!svg || event.pointerType !== "mouse" || event.button) return;
          const from = placeOf(svg, event);
          begun = { svg, from, to: from };
        });
        window.addEventListener("pointerup", () => {
          if (!begun || !charts.contains(begun.svg)) return;
          const part = chosen();
          begun = null;
          if (part) zoom(part);
        });
        charts.addEventListener("dblclick", (event) => svgOf(event) && zoom(null));
        charts.addEventListener("keydown", (event) => svgOf(event) && press(svgOf(event), event, zoom));
        charts.addEventListener("click", ({ target }) => {
          const button = target.closest("button");
          if (button?.dataset.save) save(button.closest(".hf-chart"), button.dataset.save);
          else if (button) zoom(null);
        });
        new MutationObserver(() => {
          read = new WeakMap();
          show();
        }).observe(charts, { subtree: true, attributeFilter: ["points", "data-series"] });
      },

      // How charts are looked at; while a slider moves, the server is asked now and then.
      listenToChartTools(tools, trigger) {
        let waiting;
        tools.addEventListener("input", () => {
          const { x, smoothing, log } = Object.fromEntries(
            [...tools.querySelectorAll("[name]")].map((field) => [field.name, field]),
          );
          tools.querySelector("output").textContent = Number(smoothing.value);
          clearTimeout(waiting);
          waiting = setTimeout(
            () => trigger("input", { x: x.value, smoothing: Number(smoothing.value), log: log.checked }),
            80,
          );
        });
      },
    };
  })(),
);
