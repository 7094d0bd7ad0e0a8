// What a browser tab shows is remembered for as long as that tab lives, so that it is there again after a reload: which
// room is open, what is in its fields, which case an adjudicator looks at, and what was running when the connection went.
window.vcsPlace = (() => {
  const name = (place) => "vcs-place:" + place;
  const recall = (place) => { try { return JSON.parse(sessionStorage.getItem(name(place))); } catch { return null; } };
  const remember = (place, shown) => {
    try { sessionStorage.setItem(name(place), JSON.stringify(shown)); } catch { /* no storage, nothing to recall */ }
  };
  const forget = (place) => { try { sessionStorage.removeItem(name(place)); } catch { /* none */ } };
  // As the page loads its fields change to their first values, so what the tab had is read before that.
  const before = { tab: recall("tab"), fields: recall("fields"), running: recall("running") };
  const loaded = () => {
    if (before.running) document.body.classList.add("vcs-cut-" + before.running);
    if (before.running !== "train") forget("running");
    const text = { search: 0, rerank: 5 }, place = before.tab || "search";  // where it is among the fields
    if (before.fields?.[text[place]]) setTimeout(() => document.getElementById(`vcs-${place}-go`)?.click(), 500);
  };
  return {
    remember,
    forget,
    // The page names what it shows; one that was just loaded shows nothing yet and takes what the tab showed before.
    opening: (place, shown) => (shown[0] ? shown : recall(place) || shown),
    // Puts back which room was open and what was in the fields (not those of another version of the page).
    restored: (tabs, ...fields) => {
      const unchanged = { __type__: "update" }, same = before.fields?.length === fields.length;
      const old = fields.map((value, n) => {
        const changed = same && JSON.stringify(before.fields[n]) !== JSON.stringify(value);
        return changed ? { value: before.fields[n], ...unchanged } : unchanged;
      });
      loaded();
      return [before.tab ? { selected: before.tab, ...unchanged } : unchanged, ...old];
    },
    // A job that a page began ends with its connection, except a training; after the reload its panel says so.
    started: (job) => { remember("running", job); document.body.classList.remove("vcs-cut-" + job); },
    ended: () => forget("running"),
    clear: () => { ["tab", "fields", "running", "adjudicate"].forEach(forget); },
  };
})();
// Gradio tells that the connection was lost in English alone.
new MutationObserver(() => {
  if (document.documentElement.lang !== "vi") return;
  document.querySelectorAll("[data-testid='toast-text'], .toast-title").forEach(({ firstChild: text }) => {
    const said = text?.nodeType === Node.TEXT_NODE && window.vcsSaid[text.data.trim()];
    if (said) text.data = said;
  });
}).observe(document, { childList: true, subtree: true });
