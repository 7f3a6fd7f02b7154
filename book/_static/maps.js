// Two maps of the same tasks with a switch. The page and its data: t2v/book/map_switch.py.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";

  for (const root of document.querySelectorAll(".t2v-map:not([data-drawn])")) {
    root.dataset.drawn = ""; // from here on the still picture is for print only
    drawMap(root, JSON.parse(root.querySelector("script").textContent));
  }

  function drawMap(root, data) {
    const part = (name) => root.querySelector(`.${name}`);
    const count = data.names.length;
    const groupOf = (i) => data.groups[data.group[i]][0];
    const order = [...data.names.keys()].sort((a, b) => data.group[a] - data.group[b] || a - b);
    let map = data.maps[0];
    let places = []; // of the dots, in pixels of the plane
    let shown = null; // the task on the card
    let pinned = null; // the task that stays there

    const [live, plane, lines] = ["live", "plane", "lines"].map(part);
    const [note, card] = [part("note"), part("told")];
    const switches = [...part("switch").children];
    const search = root.querySelector("input");
    const areas = new Map(); // the names on the map
    live.hidden = false;
    root.style.setProperty("--columns", data.columns);
    if (data.sprite) root.style.setProperty("--sprite", `url(${blobAddress(data.sprite)})`);
    const dots = data.names.map((_, i) => addDot(i));
    order.forEach((i) => plane.append(dots[i])); // a screen reader meets them by group
    dots[order[0]].tabIndex = 0;
    upgradeKey();
    listen();
    chooseMap(0);
    new ResizeObserver(lay).observe(plane);

    function addDot(i) {
      const [group, colour, path] = data.groups[data.group[i]];
      const dot = add(plane, "button", "", { class: "dot", type: "button", tabindex: -1 });
      dot.setAttribute("aria-label", `${data.names[i]}, ${group}`);
      dot.dataset.task = i;
      dot.style.setProperty("--colour", colour);
      if (data.tiles[i]) addTile(dot, data.faces[i]);
      const marker = dot.appendChild(document.createElementNS(SVG, "svg"));
      marker.setAttribute("viewBox", "-1 -1 14 14");
      marker.appendChild(document.createElementNS(SVG, "path")).setAttribute("d", path);
      return dot;
    }

    function addTile(parent, number) {
      const tile = add(parent, "span", "", { class: "tile" });
      tile.style.setProperty("--column", number % data.columns);
      tile.style.setProperty("--row", Math.floor(number / data.columns));
      return tile;
    }

    // an entry of the key finds its group
    function upgradeKey() {
      root.querySelectorAll(".key li").forEach((entry, g) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...entry.childNodes);
        entry.append(button);
        const name = data.groups[g][0];
        button.addEventListener("click", () => find(search.value === name ? "" : name));
      });
    }

    // ---- what the reader does ------------------------------------------------------------------

    function listen() {
      switches.forEach((button, k) => button.addEventListener("click", () => chooseMap(k)));
      const taskOf = (event) => {
        const dot = event.target.closest(".dot");
        return dot && Number(dot.dataset.task);
      };
      plane.addEventListener("click", (event) => {
        const i = taskOf(event);
        if (i === null || i === pinned) show(null);
        else show(i, i);
      });
      plane.addEventListener("focusin", (event) => {
        const i = taskOf(event);
        if (i !== null && i !== pinned) show(i);
      });
      plane.addEventListener("pointerover", (event) => {
        const i = taskOf(event);
        if (event.pointerType === "mouse" && pinned === null && i !== null) show(i);
      });
      plane.addEventListener("pointerleave", (event) => {
        if (event.pointerType === "mouse" && pinned === null && shown !== null) show(null);
      });
      plane.addEventListener("keydown", (event) => {
        const at = order.indexOf(taskOf(event));
        const to = { Home: 0, End: count - 1 };
        to.ArrowRight = to.ArrowDown = (at + 1) % count;
        to.ArrowLeft = to.ArrowUp = (at - 1 + count) % count;
        if (!(event.key in to)) return;
        event.preventDefault();
        focus(order[to[event.key]]);
      });
      live.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        if (search.value) find("");
        else show(null);
      });
      search.addEventListener("input", () => find(search.value));
      search.addEventListener("keydown", (event) => {
        const [first] = matches();
        if (first === undefined) return;
        if (event.key === "Enter") show(first, first);
        if (event.key === "ArrowDown") focus(first);
        if (["Enter", "ArrowDown"].includes(event.key)) event.preventDefault();
      });
    }

    function focus(i) {
      dots[i].focus({ preventScroll: true });
    }

    function matches() {
      const wanted = search.value.trim().toLowerCase();
      if (!wanted) return [];
      return order.filter((i) => `${data.names[i]}\n${groupOf(i)}`.toLowerCase().includes(wanted));
    }

    function find(text) {
      search.value = text;
      show(null);
      if (!text.trim()) return;
      const found = matches();
      mark(found);
      card.replaceChildren();
      const line = add(card, "p", found.length ? `Found ${found.length}: ` : "No such task.");
      addTasks(line, found.slice(0, 12).map((i) => [i]));
      if (found.length > 12) line.append(", …");
    }

    // ---- what is shown -------------------------------------------------------------------------

    function chooseMap(k) {
      const moves = map !== data.maps[k];
      map = data.maps[k];
      switches.forEach((button, each) => button.setAttribute("aria-pressed", each === k));
      note.textContent = map.note;
      lay();
      if (shown !== null) drawLines(moves);
      else if (!search.value) show(null);
    }

    function show(i, pin = null) {
      shown = i;
      pinned = pin;
      dots.forEach((dot, j) => dot.setAttribute("aria-pressed", j === pin));
      if (i === null) {
        mark([]);
        const seen = data.sprite ? "each shown by one of its images" : "a dot each";
        card.replaceChildren();
        add(card, "p", `${count} tasks, ${seen}. Touch one to see which are near it.`);
      } else {
        dots.forEach((dot, j) => (dot.tabIndex = j === i ? 0 : -1));
        describe(i);
      }
      drawLines(false);
    }

    function mark(on) {
      plane.classList.toggle("chosen", on.length > 0);
      dots.forEach((dot, j) => dot.classList.toggle("on", on.includes(j)));
    }

    function drawLines(moves) {
      lines.replaceChildren();
      lines.classList.toggle("moving", moves);
      dots.forEach((dot, j) => dot.classList.toggle("this", j === shown));
      if (shown === null) return;
      const near = map.near[shown].map(([j]) => j);
      mark([shown, ...near]);
      for (const j of near) {
        const line = lines.appendChild(document.createElementNS(SVG, "line"));
        const ends = [...places[shown], ...places[j]];
        ["x1", "y1", "x2", "y2"].forEach((end, e) => line.setAttribute(end, ends[e]));
      }
    }

    function describe(i) {
      card.replaceChildren();
      const strip = add(card, "div", "", { class: "strip" });
      for (const [caption, tile] of data.tiles[i] || []) {
        const item = add(strip, "div", "", { class: "item" });
        const image = addTile(item, tile);
        image.setAttribute("role", "img");
        image.setAttribute("aria-label", `An image of the class ${caption}`);
        add(item, "span", caption, { class: "caption" });
      }
      if (data.sprite && !strip.children.length) {
        add(strip, "p", "The licence of its images does not allow them here.");
      }
      const words = add(card, "div", "", { class: "words" });
      const title = add(words, "p");
      add(title, "strong", data.names[i]);
      title.append(`, ${groupOf(i)}${data.notes[i] ? `: ${data.notes[i]}` : ""}`);
      for (const each of data.maps) {
        const line = add(words, "p", `Nearest ${each.label}: `);
        // where more tasks lie on one spot than are named, no three of them are the nearest
        if (each.same[i] > 2) line.append(`${each.same[i]} others, all on the same spot.`);
        else addTasks(line, each.near[i]);
      }
      const [text, link] = data.credits[data.credit[i]] || [];
      if (!text) return;
      const credit = add(words, "p", link ? "" : text, { class: "credit" });
      if (link) add(credit, "a", text, { href: link, rel: "noopener" });
    }

    function addTasks(line, tasks) {
      tasks.forEach(([j, distance], rank) => {
        if (rank) line.append(", ");
        const button = add(line, "button", data.names[j], { type: "button" });
        button.addEventListener("click", () => {
          show(j, j);
          focus(j); // this button is gone
        });
        if (distance !== undefined) add(line, "small", ` ${distance.toFixed(2)}`);
      });
    }

    // ---- where things lie ----------------------------------------------------------------------

    function lay() {
      const box = [plane.clientWidth, plane.clientHeight];
      if (!box[0]) return; // not on the page yet, or in a closed fold
      const room = Math.sqrt((box[0] * box[1]) / count);
      const base = data.sprite ? clamp(0.52 * room, 22, 40) : 14;
      const side = (i) => base * data.sizes[i] * (data.sprite && !data.tiles[i] ? 0.5 : 1);
      const sides = [...data.names.keys()].map(side);
      places = spread(map.points, sides, ...box);
      dots.forEach((dot, i) => {
        dot.style.setProperty("--side", `${sides[i].toFixed(1)}px`);
        move(dot, places[i]);
      });
      nameAreas(...box, base);
      drawLines(false);
    }

    // names of areas, the larger ones first, where they cover no other name
    function nameAreas(width, height, base) {
      const members = new Map();
      map.areas.forEach((area, i) => members.set(area, [...(members.get(area) || []), i]));
      areas.forEach((name) => name.classList.add("hidden"));
      const taken = [];
      for (const [area, tasks] of [...members].sort((a, b) => b[1].length - a[1].length)) {
        if (taken.length > width / 60) break; // on a phone the dots need the room
        if (!areas.has(area)) areas.set(area, add(plane, "span", "", { class: "area" }));
        const name = areas.get(area);
        const spots = new Set(tasks.map((i) => String(map.points[i]))).size;
        name.textContent = spots === 1 && tasks.length > 1 ? `${area} × ${tasks.length}` : area;
        const [w, h] = [name.offsetWidth / 2, name.offsetHeight / 2];
        const xs = tasks.map((i) => places[i][0]).sort((a, b) => a - b);
        const ys = tasks.map((i) => places[i][1]);
        const x = clamp(xs[Math.floor(xs.length / 2)], w, width - w);
        const away = base / 2 + h;
        const free = (y) =>
          taken.every(([tx, ty, tw]) => Math.abs(x - tx) > w + tw || Math.abs(y - ty) > 2 * h);
        const y = [Math.min(...ys) - away, Math.max(...ys) + away]
          .map((side) => clamp(side, h, height - h))
          .find(free);
        if (y === undefined) continue;
        taken.push([x, y, w]);
        move(name, [x, y]);
        name.classList.remove("hidden");
      }
    }
  }

  // Places in pixels, moved apart where dots would overlap; tasks on one spot stay together.
  function spread(points, sides, width, height) {
    const spots = new Map();
    const edge = Math.max(...sides) / 2 + 6;
    points.forEach(([x, y], i) => {
      const at = { x: edge + x * (width - 2 * edge), y: edge + 12 + y * (height - 2 * edge - 12) };
      const spot = spots.get(`${x},${y}`) || { ...at, side: 0 };
      spot.side = Math.max(spot.side, sides[i]);
      spots.set(`${x},${y}`, spot);
    });
    const all = [...spots.values()];
    for (let round = 0; round < 80; round++) {
      for (const [i, a] of all.entries()) {
        for (const b of all.slice(i + 1)) {
          const [dx, dy] = [a.x - b.x || 0.01, a.y - b.y];
          const apart = Math.hypot(dx, dy);
          const push = (0.25 * Math.max(0, 0.52 * (a.side + b.side) - apart)) / apart;
          a.x = clamp(a.x + dx * push, edge, width - edge);
          a.y = clamp(a.y + dy * push, edge + 12, height - edge); // names stand above
          b.x = clamp(b.x - dx * push, edge, width - edge);
          b.y = clamp(b.y - dy * push, edge + 12, height - edge);
        }
      }
    }
    return points.map((point) => spots.get(String(point))).map(({ x, y }) => [x, y]);
  }

  function move(element, [x, y]) {
    element.style.left = `${x.toFixed(1)}px`;
    element.style.top = `${y.toFixed(1)}px`;
  }

  // one address of the images for all dots, in place of a long text in each
  function blobAddress(address) {
    const content = Uint8Array.from(atob(address.split(",")[1]), (c) => c.charCodeAt(0));
    return URL.createObjectURL(new Blob([content], { type: "image/webp" }));
  }

  function clamp(value, low, high) {
    return Math.max(low, Math.min(high, value));
  }

  function add(parent, tag, text = "", attributes = {}) {
    const child = parent.appendChild(document.createElement(tag));
    child.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => child.setAttribute(name, value));
    return child;
  }
})();
