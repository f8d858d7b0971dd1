"use strict";
// The cursor of a recording's page: where it is, what the answer is there, and what lies around it.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const onsets = new Uint32Array(bytes(data.onsets_cs));
  const shares = new Uint16Array(bytes(data.probabilities));
  const statuses = new Uint8Array(bytes(data.statuses));
  const classes = data.classes.length;
  const NONE = 65535;
  const SVG = "http://www.w3.org/2000/svg";
  const strip = byId("strip");
  let at = -1;

  document.documentElement.classList.add("scripted");

  const onset = (i) => onsets[i] / 100;
  const middle = (i) => onset(i) + data.step_s / 2;
  const probability = (i, c) => (shares[i * classes + c] === NONE ? NaN : shares[i * classes + c] / 10000);
  const two = (n) => String(n).padStart(2, "0");

  function clock(s) {
    const ms = Math.round(s * 1000);
    if (data.start_ms !== null) return new Date(data.start_ms + ms).toISOString().slice(11, 19);
    const whole = Math.floor(ms / 1000);
    return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  }

  function fullClock(s) {
    if (data.start_ms === null) return clock(s);
    return `${new Date(data.start_ms + Math.round(s * 1000)).toISOString().slice(0, 10)} ${clock(s)}`;
  }

  function sinceStart(s) {
    const minutes = Math.floor(s / 60);
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function windowAt(s) {
    let low = 0;
    let high = onsets.length - 1;
    while (low < high) {
      const half = (low + high + 1) >> 1;
      if (onset(half) <= s) low = half;
      else high = half - 1;
    }
    return low;
  }

  // The pattern that a window holds: the likeliest of those that reach their threshold, without "other"; -1 if none does.
  function pattern(i) {
    let best = -1;
    if (data.status_names[statuses[i]] === data.flat) return best;
    for (let c = 0; c < classes - 1; c++) {
      const p = probability(i, c);
      if (p >= data.thresholds[c] && (best < 0 || p > probability(i, best))) best = c;
    }
    return best;
  }

  function nextPattern(direction) {
    for (let i = at + direction; i >= 0 && i < onsets.length; i += direction) {
      if (pattern(i) >= 0 && (i === 0 || pattern(i) !== pattern(i - 1))) return i;
    }
    return at;
  }

  function nearestMoment(s) {
    return data.moments.reduce((a, b) => (Math.abs(b.at_s - s) < Math.abs(a.at_s - s) ? b : a));
  }

  function select(i) {
    at = Math.min(Math.max(i, 0), onsets.length - 1);
    byId("cursor").style.left = `${(100 * middle(at)) / data.duration_s}%`;
    byId("time").textContent = fullClock(onset(at));
    byId("since").textContent = `${data.start_ms === null ? "" : `${sinceStart(onset(at))} after the start; `}an answer for ${data.step_s} s`;
    const status = data.status_names[statuses[at]];
    byId("status").textContent = status === data.ok ? "" : status;
    let top = 0;
    for (let c = 0; c < classes; c++) {
      const p = probability(at, c);
      byId(`bar${c}`).style.cssText += `;width:${100 * p}%;display:${Number.isNaN(p) ? "none" : "block"}`;
      byId(`value${c}`).textContent = Number.isNaN(p) ? "–" : p.toFixed(2);
      byId(`name${c}`).className = p >= data.thresholds[c] ? "reached" : "";
      if (p > probability(at, top)) top = c;
    }
    const p = probability(at, top);
    const answer = Number.isNaN(p) ? `no answer, ${status}` : `${data.classes[top]} ${p.toFixed(2)}`;
    strip.setAttribute("aria-valuenow", String(at));
    strip.setAttribute("aria-valuetext", `${clock(onset(at))}, ${answer}`);
    showNearest();
    drawAround();
  }

  function showNearest() {
    const link = byId("nearest");
    if (!data.moments.length) return;
    const moment = nearestMoment(middle(at));
    const apart = Math.round(Math.abs(moment.at_s - middle(at)));
    const far = apart < 60 ? `${apart} s` : `${Math.round(apart / 60)} min`;
    link.textContent = `Nearest EEG: ${moment.number}, ${moment.name}, ${apart ? `${far} away` : "here"}`;
    link.href = `#eeg-${moment.number}`;
  }

  // Six rows of the minutes around the cursor, every window of them.
  function drawAround() {
    if (!data.around_s) return;
    const span = data.around_s;
    const start = Math.min(Math.max(middle(at) - span / 2, 0), data.duration_s - span);
    const first = windowAt(start);
    const last = windowAt(start + span);
    for (let c = 0; c < classes; c++) {
      for (const [kind, least] of [["low", 0], ["high", data.thresholds[c]]]) {
        let path = "";
        for (let i = first; i <= last; i++) {
          const p = probability(i, c);
          if (p >= least) path += `M${(onset(i) - start).toFixed(2)} 100v${(-100 * p).toFixed(1)}h${data.step_s}V100z`;
        }
        byId(`${kind}${c}`).setAttribute("d", path);
      }
    }
    byId("around-cursor").style.left = `${(100 * (middle(at) - start)) / span}%`;
    const marks = byId("around-marks");
    marks.replaceChildren();
    for (let i = first; i <= last; i++) {
      if (data.status_names[statuses[i]] === data.ok) continue;
      const mark = document.createElement("u");
      mark.className = data.status_classes[statuses[i]];
      mark.style.left = `${(100 * (onset(i) - start)) / span}%`;
      mark.style.width = `${(100 * data.step_s) / span}%`;
      marks.append(mark);
    }
    drawAxis(start, span);
  }

  function drawAxis(start, span) {
    const axis = byId("around-axis");
    axis.replaceChildren();
    const step = span / 4;
    const midnight = data.start_ms === null ? 0 : (data.start_ms / 1000) % 86400;
    for (let s = Math.ceil((start + midnight) / step) * step - midnight; s < start + 0.95 * span; s += step) {
      const mark = document.createElement("span");
      mark.style.left = `${(100 * (s - start)) / span}%`;
      mark.textContent = clock(s).slice(0, 5);
      axis.append(mark);
    }
  }

  function followPointer(element, startOf, spanOf) {
    const move = (event) => {
      const box = element.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      select(windowAt(startOf() + share * spanOf()));
    };
    element.addEventListener("pointerdown", (event) => {
      strip.focus({ preventScroll: true });
      move(event);
      if (element === strip) element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (element === strip && event.buttons & 1) move(event);
    });
  }

  const page = () => Math.max(1, Math.round((data.around_s || data.duration_s / 10) / data.step_s));
  const keys = {
    ArrowLeft: (event) => select(at - (event.shiftKey ? 10 : 1)),
    ArrowRight: (event) => select(at + (event.shiftKey ? 10 : 1)),
    ArrowDown: () => select(at - 1),
    ArrowUp: () => select(at + 1),
    PageUp: () => select(at - page()),
    PageDown: () => select(at + page()),
    Home: () => select(0),
    End: () => select(onsets.length - 1),
    n: () => select(nextPattern(1)),
    p: () => select(nextPattern(-1)),
  };

  function scale(moment, direction) {
    const svg = moment.querySelector("svg");
    const place = data.scales_uv.indexOf(Number(svg.dataset.uv)) + direction;
    if (place < 0 || place >= data.scales_uv.length) return;
    const uv = data.scales_uv[place];
    svg.dataset.uv = String(uv);
    for (const path of svg.querySelectorAll("[data-y]")) {
      path.setAttribute("transform", `translate(0 ${path.dataset.y}) scale(1 ${data.spacing / uv})`);
    }
    moment.querySelector(".uv").textContent = `${uv} µV`;
  }

  for (const moment of document.querySelectorAll(".moment")) {
    moment.querySelector(".larger")?.addEventListener("click", () => scale(moment, -1));
    moment.querySelector(".smaller")?.addEventListener("click", () => scale(moment, 1));
    moment.querySelector(".show").addEventListener("click", () => {
      select(Number(moment.dataset.window));
      strip.focus({ preventScroll: true });
      byId("whole").scrollIntoView();
    });
  }
  if (!onsets.length) return;

  strip.tabIndex = 0;
  strip.setAttribute("role", "slider");
  strip.setAttribute("aria-valuemin", "0");
  strip.setAttribute("aria-valuemax", String(onsets.length - 1));
  strip.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key](event);
  });
  byId("back").addEventListener("click", () => select(at - 1));
  byId("on").addEventListener("click", () => select(at + 1));
  byId("previous").addEventListener("click", () => select(nextPattern(-1)));
  byId("next").addEventListener("click", () => select(nextPattern(1)));
  byId("at").hidden = false;
  byId("cursor").hidden = false;
  followPointer(strip, () => 0, () => data.duration_s);
  if (data.around_s) {
    const start = () => Math.min(Math.max(middle(at) - data.around_s / 2, 0), data.duration_s - data.around_s);
    followPointer(byId("around"), start, () => data.around_s);
  }
  select(data.moments.length ? data.moments[0].window : 0);
})();
