/* Keeps the live part of a page up to date: fetches its HTML every few seconds and swaps the sections that changed.

   Without it the page is right as of its loading. Rests while the tab is hidden, and once nothing can change. A section
   in which somebody selects text stays; the keyboard's focus and opened details are put back. */

const EVERY = 2500;
const SLOWEST = 30000;

const live = document.querySelector("[data-live-url]");
const pace = Number(live?.dataset.every) || EVERY;
const announce = document.querySelector("[data-announce]");
const stale = document.querySelector("[data-stale]");
let failures = 0;
let timer = 0;

const root = () => live.firstElementChild;
const parts = (element) => new Map([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
const text = (part) => part.dataset.version ?? part.innerHTML;

function isBusy(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
}

function swap(old, fresh) {
  for (const details of old.querySelectorAll("details[data-keep][open]")) {
    const twin = fresh.querySelector(`details[data-keep="${details.dataset.keep}"]`);
    if (twin) twin.open = true;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const places = [...old.querySelectorAll(".m-scroll, pre")].map((box) => [box.scrollLeft, box.scrollTop]);
  old.replaceWith(fresh);
  fresh.querySelectorAll(".m-scroll, pre").forEach((box, index) => {
    if (places[index]) [box.scrollLeft, box.scrollTop] = places[index];
  });
  if (focused) refocus(fresh, focused);
}

function refocus(fresh, focused) {
  const key = focused.dataset.focus;
  const twin = key ? fresh.querySelector(`[data-focus="${key}"]`) : focused.matches("summary") ? summary(fresh, focused) : null;
  if (twin) return twin.focus({ preventScroll: true });
  fresh.tabIndex = -1;
  fresh.focus({ preventScroll: true });
}

function summary(fresh, focused) {
  return fresh.querySelector(`details[data-keep="${focused.parentElement.dataset.keep}"] > summary`);
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  const old = parts(root());
  const arriving = parts(fresh);
  if ([...old.keys()].join() !== [...arriving.keys()].join()) {
    if (isBusy(root())) return;
    swap(root(), document.importNode(fresh, true));
  } else {
    for (const [name, part] of arriving) {
      const current = old.get(name);
      if (text(current) !== text(part) && !isBusy(current)) swap(current, document.importNode(part, true));
    }
    Object.assign(root().dataset, fresh.dataset);
  }
  if (announce.textContent !== root().dataset.announcement) announce.textContent = root().dataset.announcement;
}

async function refresh() {
  try {
    const answer = await fetch(live.dataset.liveUrl, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.text());
    failures = 0;
  } catch {
    failures += 1;
  }
  stale.hidden = failures < 2;
  plan();
}

function plan() {
  clearTimeout(timer);
  if (document.hidden || root().dataset.active !== "yes") return;
  timer = setTimeout(refresh, Math.min(pace * 2 ** failures, SLOWEST));
}

if (live) {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : root().dataset.active === "yes" && refresh()));
  plan();
}
