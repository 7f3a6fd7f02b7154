"""The page of `t2v.book.linked_maps`: style, list of tasks, and what a chosen task shows."""

# ruff: noqa: E501

PAGE = r"""<div class="t2v-maps">
<style>
.t2v-maps {
  background: #fff;
  color: #1f2328;
  border: 1px solid #d0d7de;
  border-radius: 8px;
  padding: 12px;
  margin: 1em 0;
  font-size: 15px;
  line-height: 1.45;
}
.t2v-maps .panels {
  display: flex;
  flex-wrap: wrap;
  gap: 8px;
}
.t2v-maps .panel {
  flex: 1 1 300px;
  min-width: 0;
}
.t2v-maps .panel h4 {
  font-size: 15px;
  font-weight: 600;
  margin: 0 0 2px 4px;
  color: inherit;
}
.t2v-maps .plot {
  height: 360px;
  overflow: hidden;
}
.t2v-maps .key {
  display: flex;
  flex-wrap: wrap;
  gap: 2px 14px;
  margin: 4px 4px 10px;
  font-size: 13px;
}
.t2v-maps .key svg {
  width: 11px;
  height: 11px;
  margin-right: 5px;
  vertical-align: -1px;
}
.t2v-maps label {
  font-weight: 600;
  margin-right: 6px;
}
.t2v-maps select {
  font: inherit;
  color: inherit;
  background: #fff;
  border: 1px solid #8c959f;
  border-radius: 5px;
  padding: 3px 6px;
  max-width: 100%;
}
.t2v-maps .told {
  display: flex;
  flex-wrap: wrap;
  gap: 14px;
  min-height: 170px;
  margin-top: 10px;
}
.t2v-maps .words {
  flex: 1 1 260px;
  min-width: 0;
}
.t2v-maps .words p {
  margin: 0 0 6px;
}
.t2v-maps .words button {
  font: inherit;
  font-size: 14px;
  color: #0550ae;
  background: none;
  border: none;
  padding: 2px 0;
  text-decoration: underline;
  cursor: pointer;
}
.t2v-maps .t2v-far {
  color: #57606a !important;
  font-size: 13px;
}
.t2v-maps .shots {
  display: flex;
  gap: 8px;
  flex: 0 1 344px;
}
.t2v-maps figure {
  margin: 0;
  width: 80px;
  font-size: 12px;
  line-height: 1.2;
  text-align: center;
  overflow-wrap: anywhere;
}
.t2v-maps figure img {
  width: 80px;
  height: 80px;
  object-fit: cover;
  border-radius: 4px;
  background: none;
  filter: none;
}
.t2v-maps figcaption, .t2v-maps p, .t2v-maps strong, .t2v-maps label {
  color: #1f2328 !important;
}
.t2v-maps .credit {
  font-size: 12px;
  color: #57606a;
  margin: 8px 4px 0;
}
</style>
<div class="panels"></div>
<div class="key" aria-hidden="true"></div>
<label>Task <select aria-label="Choose a task"></select></label>
<div class="told" aria-live="polite"><div class="words"></div><div class="shots"></div></div>
<p class="credit"></p>
<noscript>The interactive map needs JavaScript; the figure above shows the same points.</noscript>
</div>
<script src="__PLOTLY__"></script>
<script>
(() => {
  const root = document.currentScript.parentNode.querySelector(".t2v-maps");
  const data = __DATA__;
  const part = (selector) => root.querySelector(selector);
  const add = (parent, tag, text = "", attributes = {}) => {
    const child = parent.appendChild(document.createElement(tag));
    child.textContent = text;
    Object.entries(attributes).forEach(([key, value]) => child.setAttribute(key, value));
    return child;
  };
  const groups = Object.keys(data.styles).filter((g) => data.groups.includes(g));
  const members = groups.map((g) => data.names.map((_, i) => i).filter((i) => data.groups[i] === g));
  part(".credit").textContent = data.credit;

  // a list of all tasks: the way in for a keyboard or a screen reader
  const list = part("select");
  groups.forEach((group, g) => {
    const section = add(list, "optgroup", "", { label: group });
    members[g].forEach((i) => add(section, "option", data.names[i], { value: i }));
  });
  list.addEventListener("change", () => choose(+list.value));

  const shapes = {
    circle: "M6 1a5 5 0 1 0 .01 0z", square: "M1.5 1.5h9v9h-9z", diamond: "M6 0l6 6-6 6-6-6z",
    "triangle-up": "M6 1l5.5 10h-11z", "triangle-down": "M6 11l5.5-10h-11z",
    cross: "M4 0h4v4h4v4h-4v4h-4v-4h-4v-4h4z", x: "M2 0l4 4 4-4 2 2-4 4 4 4-2 2-4-4-4 4-2-2 4-4-4-4z",
  };
  groups.forEach((group) => {
    const [colour, symbol] = data.styles[group];
    const entry = add(part(".key"), "span");
    entry.innerHTML = `<svg viewBox="0 0 12 12"><path fill="${colour}" d="${shapes[symbol]}"/></svg>`;
    entry.append(group);
  });

  const plots = data.panels.map((panel) => {
    const box = add(part(".panels"), "div", "", { class: "panel" });
    add(box, "h4", panel.title);
    return add(box, "div", "", { class: "plot", role: "img", "aria-label": `Map of tasks: ${panel.title}. The list below holds the same tasks.` });
  });
  if (!window.Plotly) {
    plots.forEach((plot) => { plot.style.height = "auto"; plot.textContent = "The maps are drawn in the built book: make book, then make serve."; });
  }
  const drawn = window.Plotly ? plots.map((plot, p) => {
    const at = (indices, axis) => indices.map((i) => data.panels[p].points[i][axis]);
    const dots = groups.map((group, g) => ({
      x: at(members[g], 0), y: at(members[g], 1), customdata: members[g], mode: "markers", type: "scatter",
      name: group, text: members[g].map((i) => data.names[i]), hovertemplate: `<b>%{text}</b><br>${group}<extra></extra>`,
      marker: { size: 10, color: data.styles[group][0], symbol: data.styles[group][1], line: { width: 1, color: "#fff" } },
    }));
    const ring = (size, width, dash) => ({
      x: [], y: [], mode: "markers", type: "scatter", hoverinfo: "skip",
      marker: { size, color: "rgba(0,0,0,0)", symbol: "circle", line: { width, color: "#1f2328" } },
    });
    const axis = { visible: false, fixedrange: false };
    return window.Plotly.newPlot(plot, [...dots, ring(17, 1), ring(20, 3)], {
      margin: { l: 6, r: 6, t: 6, b: 6 }, xaxis: { ...axis }, yaxis: { ...axis }, showlegend: false,
      hovermode: "closest", paper_bgcolor: "#fff", plot_bgcolor: "#fff", dragmode: "pan",
      hoverlabel: { font: { size: 13 } },
    }, { responsive: true, displaylogo: false, scrollZoom: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage"] }).then(() => {
      const told = (event) => { const i = event.points[0].customdata; if (i !== undefined) choose(i); };
      plot.on("plotly_hover", told);
      plot.on("plotly_click", told);
      // on a phone the panel gets its width after the first drawing
      new ResizeObserver(() => window.Plotly.Plots.resize(plot)).observe(plot);
    });
  }) : [];

  function choose(i) {
    list.value = i;
    const words = part(".words"), shots = part(".shots");
    words.replaceChildren(); shots.replaceChildren();
    const title = add(words, "p");
    add(title, "strong", data.names[i]);
    title.append(`, ${data.groups[i]}${data.notes[i] ? ". " + data.notes[i] : ""}`);
    Object.entries(data.nearest).forEach(([kind, of]) => {
      const line = add(words, "p", `Nearest, ${kind.toLowerCase()}: `);
      of[i].forEach(([j, distance], turn) => {
        if (turn) line.append(", ");
        add(line, "button", data.names[j], { type: "button" }).addEventListener("click", () => choose(j));
        add(line, "span", ` (${data.groups[j]}, ${distance.toFixed(3)})`, { class: "t2v-far" });
      });
    });
    (data.pictures[i] || []).forEach(([caption, number]) => {
      const figure = add(shots, "figure");
      add(figure, "img", "", { src: data.pool[number], alt: `A picture of the class ${caption}.` });
      add(figure, "figcaption", caption);
    });
    if (!data.pictures[i]) add(shots, "p", "No pictures: their licence does not allow them here.", { class: "t2v-far" });
    if (window.Plotly) plots.forEach((plot, p) => {
      const points = data.panels[p].points, near = (data.nearest[data.panels[p].title] || [])[i] || [];
      const rings = [near.map(([j]) => points[j]), [points[i]]];
      window.Plotly.restyle(plot, { x: rings.map((r) => r.map((q) => q[0])), y: rings.map((r) => r.map((q) => q[1])) }, [groups.length, groups.length + 1]);
    });
  }
  Promise.all(drawn).then(() => choose(members[0][0]));
})();
</script>
"""
