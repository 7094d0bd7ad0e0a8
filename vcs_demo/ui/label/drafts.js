// What somebody has typed or chosen and not sent yet is kept in their browser, by person and candidate, so that it is
// there again after a reload, a restart or a lost connection. It is removed once it is saved, and at sign-out.
window.vcsDrafts = (() => {
  const PREFIX = "vcs-draft:", MOST = 40, DAYS = 14;
  const current = {};  // the place (judge, adjudicate) → what is shown there
  let answers = 0;  // that came from the server
  const names = () => Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  const read = (key) => { try { return JSON.parse(localStorage.getItem(PREFIX + key)); } catch { return null; } };
  const remove = (key) => { try { localStorage.removeItem(PREFIX + key); } catch { /* no storage, no drafts */ } };
  const filled = (typed) => typed.some((value) => value !== null && value !== undefined && value !== "" && value !== false);

  function save(place, key, typed, pressed = "") {
    if (!key) return;
    if (!filled(typed) && !pressed) return remove(key);
    try {
      const at = Date.now();
      localStorage.setItem(PREFIX + key, JSON.stringify({ typed, pressed, at }));
      const old = names().map((name) => [JSON.parse(localStorage.getItem(name))?.at ?? 0, name]).sort((a, b) => b[0] - a[0]);
      old.forEach(([time, name], n) => { if (n >= MOST || at - time > DAYS * 864e5) localStorage.removeItem(name); });
    } catch { /* the browser keeps nothing: then neither do we */ }
  }

  // The label tab's `draft` box holds the key of what is shown and, after a space, of what was saved just now.
  function opened(place, keys) {
    const [key, done] = (keys || "").split(" ");
    if (done) remove(done);
    current[place] = key;
    return key;
  }
  // place → the answer of which nothing was heard; told whenever the candidate is drawn, in either language.
  const unheard = {};
  const tell = () => {
    for (const [place, answer] of Object.entries(unheard)) {
      const said = document.querySelector(`#vcs-${place} .vcs-unsaved[hidden]`);
      if (said) { said.hidden = false; said.classList.add("vcs-notice", "bad"); said.querySelector("b").textContent = answer; }
    }
  };
  new MutationObserver(tell).observe(document, { childList: true, subtree: true });
  const label = (pressed) => document.getElementById(pressed)?.textContent.trim() || "";

  return {
    input: (place) => (keys, ...typed) => { save(place, (keys || "").split(" ")[0], typed); },
    // An answer is sent: until it is said what became of it, it may be lost with the connection.
    sent: (place, button, typed) => { delete unheard[place]; save(place, current[place], typed, label(button)); },
    // It was said what became of it, and what is shown now may have a draft of its own.
    settled: (place) => (keys, ...typed) => {
      const key = opened(place, keys), draft = key && read(key);
      if (draft && !filled(typed)) typed = draft.typed;
      save(place, key, typed);
      answers += 1;
      return typed;
    },
    answers: () => answers,
    // The page was opened: what was typed comes back, and an answer of which nothing was heard is said not to be saved.
    restored: (place) => (keys, ...typed) => {
      const key = opened(place, keys), draft = key && read(key);
      if (draft?.pressed) unheard[place] = draft.pressed; else delete unheard[place];
      tell();
      if (!draft) return typed;
      return filled(typed) ? typed : draft.typed;
    },
    clear: () => { try { names().forEach((name) => localStorage.removeItem(name)); } catch { /* none */ } },
  };
})();
(() => {
  const forget = () => { vcsDrafts.clear(); vcsPlace.clear(); };
  const ends = (address) => /logout|sign-out/.test(address || "");
  document.addEventListener("click", (e) => { if (ends(e.target.closest?.("a")?.href)) forget(); }, true);
  document.addEventListener("submit", (e) => { if (ends(e.target.action)) forget(); }, true);
})();
