// Menus, charts and log following. Everything here is a convenience: each page works without it.
(() => {
  "use strict";
  const chartSource = document.currentScript.dataset.chart;
  const root = document.documentElement;
  root.classList.add("js");

  const closeDrop = (wrap) => {
    wrap.classList.remove("is-open");
    wrap.querySelector(".drop-btn").setAttribute("aria-expanded", "false");
  };
  const openDrops = () => document.querySelectorAll(".krds-drop-wrap.is-open");

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".drop-btn");
    const pressed = button && button.closest(".krds-drop-wrap");
    openDrops().forEach((wrap) => { if (wrap !== pressed && !wrap.contains(event.target)) closeDrop(wrap); });
    if (!pressed) return;
    const open = pressed.classList.toggle("is-open");
    button.setAttribute("aria-expanded", String(open));
  });
  // An open menu that the focus has left would lie over what comes next.
  document.addEventListener("focusin", (event) => {
    openDrops().forEach((wrap) => { if (!wrap.contains(event.target)) closeDrop(wrap); });
  });
  // The header stays at the top: what gets the focus under it is moved out into the open.
  const header = document.getElementById("krds-header");
  document.addEventListener("focusin", (event) => {
    if (header.contains(event.target) || !event.target.matches(":focus-visible")) return;
    const spot = event.target.getBoundingClientRect(), free = header.getBoundingClientRect().bottom;
    if (spot.bottom > 0 && spot.top < free) window.scrollBy(0, spot.top - free - 16);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    openDrops().forEach((wrap) => { closeDrop(wrap); wrap.querySelector(".drop-btn").focus(); });
    closeMobile();
  });

  // Without a script the mobile menu is the address #mobile-nav; with one it opens in place and keeps the focus.
  const mobile = document.getElementById("mobile-nav");
  const opener = document.querySelector(".btn-navi.all");
  function closeMobile() {
    if (!mobile || !mobile.classList.contains("is-open")) return;
    mobile.classList.remove("is-open");
    opener.setAttribute("aria-expanded", "false");
    opener.focus();
  }
  function keepFocus(event) {
    if (event.key !== "Tab") return;
    const stops = [...mobile.querySelectorAll("a, button")];
    const last = event.shiftKey ? stops[0] : stops[stops.length - 1];
    if (document.activeElement !== last) return;
    event.preventDefault();
    (event.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
  }
  if (mobile && opener) {
    opener.setAttribute("role", "button");
    opener.setAttribute("aria-expanded", "false");
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      mobile.classList.add("is-open");
      opener.setAttribute("aria-expanded", "true");
      mobile.querySelector(".btn-close").focus();
    });
    mobile.querySelector(".btn-close").addEventListener("click", (event) => { event.preventDefault(); closeMobile(); });
    mobile.addEventListener("keydown", keepFocus);
  }

  // Charts: drawn from the JSON beside the canvas, coloured by the tokens.
  const token = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4], [1, 2], [8, 2]];
  const POINTS = ["circle", "rect", "triangle", "rectRot", "star", "cross"];
  function dataset(series, index, kind) {
    const colour = token(`--chart-${(index % 5) + 1}`);
    const line = kind === "line";
    return {
      type: line ? "line" : "bar", label: series.name, data: series.values,
      borderColor: colour, backgroundColor: colour, borderWidth: line ? 2 : 0,
      borderDash: line ? DASHES[index % DASHES.length] : [],
      pointStyle: POINTS[index % POINTS.length], pointRadius: line && series.values.length < 60 ? 3 : 0,
      barPercentage: kind === "histogram" ? 1 : 0.8, categoryPercentage: kind === "histogram" ? 1 : 0.8,
      maxBarThickness: kind === "histogram" ? undefined : 48,
    };
  }
  function limit(entry, size) {
    return { type: "line", label: entry.name, data: Array(size).fill(entry.value), borderColor: token("--bad"),
      borderDash: [6, 4], borderWidth: 2, pointRadius: 0, pointStyle: "line", backgroundColor: token("--bad") };
  }
  function axis(text, grid, stacked) {
    return { stacked, title: { display: Boolean(text), text }, grid: { display: grid, color: token("--line") },
      border: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16 }, beginAtZero: true };
  }
  function draw(figure) {
    const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
    const sets = data.series.map((s, i) => dataset(s, i, data.kind));
    sets.push(...data.limits.map((entry) => limit(entry, data.labels.length)));
    const stacked = data.kind === "stacked";
    window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    window.Chart.defaults.font.size = 14;
    window.Chart.defaults.color = token("--ink-soft");
    new window.Chart(figure.querySelector("canvas"), {
      data: { labels: data.labels, datasets: sets },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
        plugins: { legend: { display: sets.length > 1, labels: { usePointStyle: true } } },
        scales: { x: axis(data.x_label, false, stacked), y: axis(data.y_label || data.unit, true, stacked) },
      },
    });
    figure.dataset.drawn = "true";
  }
  function charts(scope) {
    const waiting = [...scope.querySelectorAll("[data-chart]:not([data-drawn]):not(script)")];
    if (!waiting.length) return;
    if (window.Chart) { waiting.forEach(draw); return; }
    const script = document.createElement("script");
    script.src = chartSource;
    script.addEventListener("load", () => charts(document));
    document.head.append(script);
  }

  // A log that is being followed stays at its end unless the reader has scrolled up.
  function follow(scope) {
    const logs = scope.matches && scope.matches("[data-follow]") ? [scope] : scope.querySelectorAll("[data-follow]");
    logs.forEach((log) => { if (log.dataset.follow !== "off") log.scrollTop = log.scrollHeight; });
  }
  document.addEventListener("scroll", (event) => {
    const log = event.target.closest && event.target.closest("[data-follow]");
    if (log) log.dataset.follow = log.scrollHeight - log.scrollTop - log.clientHeight < 24 ? "on" : "off";
  }, true);
  // What a reader has opened stays open in a part that renews itself.
  let opened = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    opened = [...event.target.querySelectorAll("details[open][id]")].map((details) => details.id);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    opened.forEach((id) => { const details = document.getElementById(id); if (details) details.open = true; });
    charts(event.target);
    follow(document);
  });

  // Print and copy buttons exist only where a script can serve them.
  document.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });
  document.querySelectorAll("[data-copy]").forEach((button) => {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.copied;
    });
  });

  charts(document);
  follow(document);
})();
