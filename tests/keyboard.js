// What has the focus and how it shows, for tests/keyboard.py. A hidden checkbox is shown by its label.
() => {
  const STOPS = "a[href], button, input, select, textarea, summary, [tabindex]";
  const BOX = "input[type=checkbox], input[type=radio]";
  const shown = (e) => (e.matches(BOX) && e.labels.length ? e.labels[0] : e);
  const open = (e) => e.tabIndex >= 0 && !e.disabled && e.type !== "hidden"
    && shown(e).checkVisibility({ visibilityProperty: true });

  const style = (e, part) => {
    const s = getComputedStyle(e, part);
    const ring = s.outlineStyle === "none" || s.outlineWidth === "0px" ? "" : s.outline;
    return [ring, s.boxShadow, s.borderColor, s.borderWidth].join("|");
  };
  const styles = (e) => [e, shown(e), e.closest("label, .choice, .krds-form-check")].filter(Boolean)
    .map((one) => style(one) + style(one, "::before") + style(one, "::after")).join("#");
  // Everything as it is at rest is kept, so that what is focused can be compared with it.
  function keep() {
    window.__rest = window.__rest || new WeakMap();
    for (const e of document.querySelectorAll(STOPS)) {
      if (open(e) && e !== document.activeElement && !window.__rest.has(e)) window.__rest.set(e, styles(e));
    }
  }

  const outside = (b) => b.bottom <= 0 || b.top >= innerHeight || b.right <= 0 || b.left >= innerWidth;
  // What lies over the middle of the part of the box that is in the window.
  function cover(now, spot, box) {
    const x = (Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2;
    const y = (Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2;
    const top = document.elementFromPoint(x, y);
    const own = !top || top.contains(spot) || spot.contains(top) || top.closest("label")?.contains(now);
    return own ? [] : [`is covered by ${top.outerHTML.slice(0, 80)}`];
  }

  async function look() {
    keep();
    const now = document.activeElement;
    if (!now || now === document.body || now === document.documentElement) return null;
    const spot = shown(now);
    // The browser scrolls to what is focused a moment after it has the focus.
    for (let i = 0; i < 250 && outside(spot.getBoundingClientRect()); i++) await new Promise((go) => setTimeout(go, 20));
    const box = spot.getBoundingClientRect(), wrong = [];
    if (!spot.checkVisibility({ opacityProperty: true, visibilityProperty: true })) wrong.push("cannot be seen");
    if (box.width < 2 || box.height < 2) wrong.push("has no size");
    wrong.push(...(outside(box) ? ["is outside the window"] : cover(now, spot, box)));
    if (window.__rest.get(now) === styles(now)) wrong.push("looks the same focused");
    const id = [...document.querySelectorAll("*")].indexOf(now);
    return { id, radio: now.type === "radio" ? now.name : "", html: now.outerHTML.slice(0, 140), wrong };
  }

  // Every stop there is, radio buttons of one name as one, under the key that round_trip() makes of look().
  function stops() {
    const found = new Map();
    [...document.querySelectorAll("*")].forEach((e, id) => {
      const key = e.type === "radio" ? `radio ${e.name}` : String(id);
      if (e.matches(STOPS) && open(e) && !found.has(key)) found.set(key, e.outerHTML.slice(0, 140));
    });
    return [...found];
  }
  return { look, stops };
}
