// Linked maps of tasks. The page and its data are written by t2v/book/linked_maps.py.
"use strict";

(() => {
  const INK = "#1f2328";
  const CARD = "#fff";

  // matplotlib's markers: plotly's name, and a path in a box of 12 by 12
  const MARKERS = {
    o: { symbol: "circle", path: "M6 1a5 5 0 1 0 .01 0z" },
    s: { symbol: "square", path: "M1.5 1.5h9v9h-9z" },
    D: { symbol: "diamond", path: "M6 0l6 6-6 6-6-6z" },
    "^": { symbol: "triangle-up", path: "M6 1l5.5 10h-11z" },
    v: { symbol: "triangle-down", path: "M6 11l5.5-10h-11z" },
    P: { symbol: "cross", path: "M4 0h4v4h4v4h-4v4h-4v-4h-4v-4h4z" },
    X: { symbol: "x", path: "M2 0l4 4 4-4 2 2-4 4 4 4-2 2-4-4-4 4-2-2 4-4-4-4z" },
  };

  for (const root of document.querySelectorAll(".t2v-maps:not([data-drawn])")) {
    root.dataset.drawn = "";
    drawMaps(root, JSON.parse(root.querySelector("script").textContent));
  }

  function drawMaps(root, data) {
    const part = (name) => root.querySelector(`.${name}`);
    const groups = Object.keys(data.styles).filter((group) => data.groups.includes(group));
    const members = groups.map((group) => indicesOf(data.groups, group));
    const list = root.querySelector("select");

    part("credit").textContent = data.credit;
    fillList();
    fillKey();
    const plots = window.Plotly ? addPanels() : [];
    Promise.all(plots.map(drawPanel)).then(() => choose(members[0][0]));

    // all tasks by name: the way in for a keyboard or a screen reader
    function fillList() {
      groups.forEach((group, g) => {
        const section = add(list, "optgroup", "", { label: group });
        members[g].forEach((i) => add(section, "option", data.names[i], { value: i }));
      });
      list.addEventListener("change", () => choose(Number(list.value)));
    }

    function fillKey() {
      groups.forEach((group) => {
        const [colour, marker] = data.styles[group];
        const { path } = MARKERS[marker];
        const entry = add(part("key"), "span");
        entry.innerHTML = `<svg viewBox="0 0 12 12"><path fill="${colour}" d="${path}"/></svg>`;
        entry.append(group);
      });
    }

    function addPanels() {
      part("panels").replaceChildren();
      return data.panels.map((panel) => {
        const box = add(part("panels"), "div", "", { class: "panel" });
        add(box, "h4", panel.title);
        return add(box, "div", "", {
          class: "plot",
          role: "img",
          "aria-label": `Map of tasks: ${panel.title}. The list below holds the same tasks.`,
        });
      });
    }

    async function drawPanel(plot, p) {
      const { points } = data.panels[p];
      const dots = groups.map((group, g) => ({
        ...coordinates(members[g].map((i) => points[i])),
        type: "scatter",
        mode: "markers",
        customdata: members[g],
        text: members[g].map((i) => data.names[i]),
        name: group,
        hovertemplate: `<b>%{text}</b><br>${group}<extra></extra>`,
        marker: {
          size: 10,
          color: data.styles[group][0],
          symbol: MARKERS[data.styles[group][1]].symbol,
          line: { width: 1, color: CARD },
        },
      }));
      const axis = () => ({ visible: false, fixedrange: false });
      const layout = {
        margin: { l: 6, r: 6, t: 6, b: 6 },
        xaxis: axis(),
        yaxis: axis(),
        showlegend: false,
        hovermode: "closest",
        hoverlabel: { font: { size: 13 } },
        paper_bgcolor: CARD,
        plot_bgcolor: CARD,
        dragmode: "pan",
      };
      const options = {
        responsive: true,
        displaylogo: false,
        scrollZoom: false,
        modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage"],
      };
      // the last two traces: rings around the nearest tasks and around the chosen one
      await window.Plotly.newPlot(plot, [...dots, rings(17, 1), rings(20, 3)], layout, options);
      const chooseDot = (event) => {
        const i = event.points[0].customdata;
        if (i !== undefined) choose(i);
      };
      plot.on("plotly_hover", chooseDot);
      plot.on("plotly_click", chooseDot);
      // on a phone the panel gets its width after the first drawing
      new ResizeObserver(() => window.Plotly.Plots.resize(plot)).observe(plot);
    }

    function choose(i) {
      list.value = i;
      describe(i);
      showImages(i);
      plots.forEach((plot, p) => moveRings(plot, data.panels[p], i));
    }

    function describe(i) {
      const words = part("words");
      words.replaceChildren();
      const title = add(words, "p");
      add(title, "strong", data.names[i]);
      title.append(`, ${data.groups[i]}${data.notes[i] ? `. ${data.notes[i]}` : ""}`);
      Object.entries(data.nearest).forEach(([panel, nearest]) => {
        const line = add(words, "p", `Nearest, ${panel.toLowerCase()}: `);
        nearest[i].forEach(([j, distance], rank) => {
          if (rank) line.append(", ");
          const button = add(line, "button", data.names[j], { type: "button" });
          button.addEventListener("click", () => choose(j));
          add(line, "span", ` (${data.groups[j]}, ${distance.toFixed(3)})`, { class: "quiet" });
        });
      });
    }

    function showImages(i) {
      const images = part("images");
      images.replaceChildren();
      if (!data.images[i]) {
        add(images, "p", "No images: their licence does not allow them here.", { class: "quiet" });
        return;
      }
      data.images[i].forEach(([caption, number]) => {
        const figure = add(images, "figure");
        add(figure, "img", "", { src: data.pool[number], alt: `An image of the class ${caption}.` });
        add(figure, "figcaption", caption);
      });
    }

    function moveRings(plot, panel, i) {
      const nearest = (data.nearest[panel.title] || [])[i] || [];
      const near = coordinates(nearest.map(([j]) => panel.points[j]));
      const chosen = coordinates([panel.points[i]]);
      const traces = [groups.length, groups.length + 1];
      window.Plotly.restyle(plot, { x: [near.x, chosen.x], y: [near.y, chosen.y] }, traces);
    }
  }

  function rings(size, width) {
    return {
      x: [],
      y: [],
      type: "scatter",
      mode: "markers",
      hoverinfo: "skip",
      marker: { size, color: "rgba(0,0,0,0)", symbol: "circle", line: { width, color: INK } },
    };
  }

  function coordinates(points) {
    return { x: points.map(([x]) => x), y: points.map(([, y]) => y) };
  }

  function indicesOf(values, wanted) {
    return values.flatMap((value, i) => (value === wanted ? [i] : []));
  }

  function add(parent, tag, text = "", attributes = {}) {
    const child = parent.appendChild(document.createElement(tag));
    child.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => child.setAttribute(name, value));
    return child;
  }
})();
