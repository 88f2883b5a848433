// Loads the page again every 15 s, and filters hosts. The page works without it.
"use strict";
(() => {
  const interval = 15000;
  const stale = document.getElementById("stale");
  const filter = document.getElementById("filter");
  let answeredAt = new Date();

  function applyFilter() {
    const wanted = filter.value.trim().toLowerCase();
    for (const row of document.querySelectorAll("#hosts tbody tr")) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
    }
  }

  // A page that shows old figures as if they were new is worse than none.
  function fail(why) {
    stale.textContent = `No new figures since ${answeredAt.toLocaleTimeString()}: ${why}. What is below is old.`;
    stale.hidden = false;
    document.body.classList.add("old");
  }

  function replace(page) {
    const open = new Set([...document.querySelectorAll("details[open]")].map((d) => d.id));
    const focused = document.activeElement instanceof HTMLAnchorElement ? document.activeElement.getAttribute("href") : null;
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (fresh) part.replaceWith(fresh);
    }
    for (const d of document.querySelectorAll("details")) d.open = open.has(d.id);
    document.title = page.title;
    if (filter) applyFilter();
    if (focused && document.activeElement === document.body) {
      const again = [...document.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused);
      if (again) again.focus({ preventScroll: true });
    }
  }

  async function refresh() {
    if (document.hidden) return;
    let text;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) return fail(`the server answers ${answer.status}`);
      text = await answer.text();
    } catch (error) {
      return fail("the server does not answer");
    }
    const page = new DOMParser().parseFromString(text, "text/html");
    if (!page.getElementById("main")) return fail("the server answers with another page");
    answeredAt = new Date();
    stale.hidden = true;
    document.body.classList.remove("old");
    const selection = getSelection();
    if (selection && !selection.isCollapsed) return; // somebody copies a text
    replace(page);
  }

  if (filter) {
    filter.hidden = false;
    filter.addEventListener("input", applyFilter);
  }
  setInterval(refresh, interval);
  document.addEventListener("visibilitychange", refresh);
})();
