// The live panel of `fit`: draws what `display/panel_widget.py` sends, and sends the names of pressed buttons.

const HEIGHT = 190, LEFT = 44, BOTTOM = 20, TOP = 6, RIGHT = 8;
const FEW = 30;  // up to this number, points are marked
const UNANSWERED = 8000;  // milliseconds

function element(tag, name, parent, text = "") {
  const node = document.createElement(tag);
  node.className = `jk-${name}`;
  node.textContent = text;
  parent.append(node);
  return node;
}

function format(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : value.toFixed(size < 100 ? 4 : 1);
}

// Round numbers between two ends, about `count` of them.
function ticks(low, high, count, whole = false) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  let step = power * [1, 2, 5, 10].find((f) => f * power >= raw * 0.999);
  if (whole) step = Math.max(1, Math.round(step));
  const result = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) result.push(i * step);
  return [result, step];
}

// Ends and ticks of the vertical axis, and the function from a value to its height.
function verticalAxis(values) {
  let low = Math.min(...values), high = Math.max(...values);
  if (low > 0 && high > 100 * low) {
    const [a, b] = [Math.log10(low), Math.log10(high)];
    const powers = [];
    const every = Math.max(1, Math.ceil((b - a) / 4));
    for (let p = Math.ceil(a); p <= b; p += every) powers.push([10 ** p, `1e${p}`]);
    return [powers, (v) => (Math.log10(v) - a) / (b - a)];
  }
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const margin = (high - low) * 0.04;
  [low, high] = [low - margin, high + margin];
  const [at, step] = ticks(low, high, 5);
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
  const large = Math.max(Math.abs(low), Math.abs(high)) >= 1e5;
  return [at.map((v) => [v, large ? v.toExponential(1) : v.toFixed(digits)]), (v) => (v - low) / (high - low)];
}

// The chart of one metric as SVG. A line is {kind, x, y}; values are null where they are not finite.
function chart(lines, epochs, width) {
  const values = lines.flatMap((line) => line.y).filter((v) => v !== null);
  if (!values.length) return "";
  const [marks, height] = verticalAxis(values);
  const first = Math.min(...lines.map((line) => line.x[0] ?? Infinity));
  const last = Math.max(...lines.map((line) => line.x.at(-1) ?? -Infinity), first + Math.min(1, epochs));
  const toX = (x) => +(LEFT + ((x - first) / (last - first)) * (width - LEFT - RIGHT)).toFixed(1);
  const toY = (y) => +(HEIGHT - BOTTOM - height(y) * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  let svg = "";
  for (const [value, label] of marks) {
    const y = toY(value);
    svg += `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y}" y2="${y}"/>`;
    svg += `<text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${label}</text>`;
  }
  for (const x of ticks(first, last, 5, true)[0]) {
    svg += `<text x="${toX(x)}" y="${HEIGHT - 5}" text-anchor="middle">${x}</text>`;
  }
  svg += `<text x="${LEFT - 12}" y="${HEIGHT - 5}" text-anchor="end">epoch</text>`;
  const base = HEIGHT - BOTTOM;
  svg += `<line class="axis" x1="${LEFT}" x2="${width - RIGHT}" y1="${base}" y2="${base}"/>`;
  for (const { kind, x, y } of lines) {
    let path = "", pen = "M";
    for (let i = 0; i < x.length; i++) {
      if (y[i] === null) { pen = "M"; continue; }
      path += `${pen}${toX(x[i])} ${toY(y[i])}`;
      pen = "L";
      if (kind !== "now" && x.length <= FEW) svg += `<circle class="${kind}" cx="${toX(x[i])}" cy="${toY(y[i])}" r="2.6"/>`;
    }
    svg += `<path class="${kind}" d="${path}"/>`;
  }
  return `<svg width="${width}" height="${HEIGHT}" role="img">${svg}</svg>`;
}

function render({ model, el }) {
  const panel = element("div", "panel", el);
  const head = element("div", "head", panel);
  const title = element("div", "title", head);
  const bar = element("div", "bar", element("div", "track", panel));
  const figures = element("div", "figures", panel);
  const note = element("div", "note", panel);
  const charts = element("div", "charts", panel);
  const boxes = new Map();
  const state = { curves: {}, names: [] };
  let scheduled = false, timer = null;

  const buttons = { checkpoint: "Checkpoint", stop: "Stop" };
  for (const [name, label] of Object.entries(buttons)) {
    const button = element("button", name, head, label);
    button.onclick = () => {
      button.disabled = true;
      model.send({ press: name });
      clearTimeout(timer);
      timer = setTimeout(() => {
        note.textContent = "No answer yet. If none comes, this page delivers clicks only when the cell has ended: " +
          "interrupt the kernel instead, and fit stops with the weights it has.";
      }, UNANSWERED);
    };
    buttons[name] = button;
  }

  function draw() {
    scheduled = false;
    title.textContent = state.title;
    figures.textContent = state.figures;
    bar.style.width = `${100 * state.fraction}%`;
    for (const name of state.names) {
      if (!boxes.has(name)) {
        const box = element("div", "chart", charts);
        element("h4", "name", box, name.replaceAll("_", " "));
        boxes.set(name, [element("div", "legend", box), element("div", "plot", box)]);
      }
      const [legend, plot] = boxes.get(name);
      const now = state.curves[`now ${name}`], train = state.curves[name], val = state.curves[`val_${name}`];
      const lines = [];
      if (now?.x.length) {
        const steps = state.steps || now.x.at(-1);
        lines.push({ kind: "now", x: now.x.map((step) => state.epoch + step / steps), y: now.y });
      }
      if (train) lines.push({ kind: "train", ...train });
      if (val) lines.push({ kind: "val", ...val });
      legend.replaceChildren();
      element("span", "train", legend, `train ${format((now?.x.length ? now : train)?.y.at(-1))}`);
      if (val) element("span", "val", legend, `val ${format(val.y.at(-1))}`);
      plot.innerHTML = chart(lines, state.epochs, plot.clientWidth || 310);
    }
  }

  function take({ curves, answer, ...rest }) {
    if (rest.epoch !== undefined && rest.epoch !== state.epoch) {
      for (const name in state.curves) if (name.startsWith("now ")) delete state.curves[name];
    }
    Object.assign(state, rest);
    for (const [name, { start, x, y }] of Object.entries(curves)) {
      const curve = (state.curves[name] ??= { x: [], y: [] });
      curve.x.length = curve.y.length = start;
      curve.x.push(...x);
      curve.y.push(...y);
    }
    if (answer !== undefined) {
      clearTimeout(timer);
      note.textContent = answer;
      buttons.checkpoint.disabled = false;
    }
    if (!scheduled) {
      scheduled = true;
      requestAnimationFrame(draw);
    }
  }

  take(model.get("snapshot"));
  model.on("msg:custom", take);
  return () => model.off("msg:custom", take);
}

export default { render };
