// Keys press the buttons they are printed on, unless someone is typing or holds a modifier. Keys in a fast row wait
// for one another: each is pressed once the answer to the one before it is on the page, so order is kept and every
// decision is about the candidate that is shown. Where an answer was refused, or none came, the keys behind it are
// dropped: they were meant for candidates that were never shown.
(() => {
  const LONGEST = 10000, SETTLING = 200;  // milliseconds
  const waiting = [];
  let busy = false, failures = 0;  // calls that were refused before they reached the page, or did not get through
  const fetched = window.fetch;
  window.fetch = async (...args) => {
    const joins = String(args[0]?.url ?? args[0]).includes("/queue/join");
    let ok = false;
    try {
      const response = await fetched.apply(window, args);
      ok = response.ok;
      return response;
    } finally { if (joins && !ok) failures += 1; }
  };
  const turn = () => document.querySelector("#vcs-judge [data-turn]")?.dataset.turn;
  const next = () => {
    const key = waiting.shift();
    const button = key && document.getElementById("vcs-key-" + key);
    busy = Boolean(button && button.offsetParent !== null);
    if (!busy) { waiting.length = 0; return; }
    const before = turn(), answers = vcsDrafts.answers(), failed = failures, began = Date.now();
    let answered = 0;
    button.click();
    const look = () => {
      if (turn() !== before) return next();
      answered ||= (vcsDrafts.answers() !== answers || failures !== failed) && Date.now();
      const dropped = answered ? Date.now() - answered > SETTLING : Date.now() - began > LONGEST;
      if (dropped) waiting.length = 0;
      return dropped ? next() : setTimeout(look, 20);
    };
    look();
  };
  // What is printed on the key that was pressed. Where the layout has something else there (digits that need Shift,
  // letters of another script, an input method that takes the key for itself), the key's place counts.
  const pressed = (e) => {
    const key = e.key.toLowerCase();
    if (/^[a-z0-9]$/.test(key)) return key;
    const composing = e.key === "Process" || e.keyCode === 229;
    const [, digit, letter] = /^(?:Digit|Numpad)(\d)$|^Key([A-Z])$/.exec(e.code || "") || [];
    if (digit && (composing || (!e.shiftKey && !e.code.startsWith("Numpad")))) return digit;
    return letter && (composing || /^[^\x00-\x7f]$/.test(key)) ? letter.toLowerCase() : key;
  };
  const typing = (target) => Boolean(target?.isContentEditable || target?.closest?.(
    "input:not([type=checkbox]):not([type=radio]), textarea, select, [role='listbox'], [role='textbox']"));
  // The second click of a double click would answer a candidate that nobody has read.
  document.addEventListener("click", (e) => {
    if (e.detail > 1 && e.target.closest?.("[id^='vcs-key-'], #vcs-adjudicate-go")) {
      e.stopPropagation();
      e.preventDefault();
    }
  }, true);
  document.addEventListener("keydown", (e) => {
    const target = e.composedPath()[0];
    if (typing(target)) {
      if (e.key === "Escape" && !e.isComposing) target.blur();
      return;
    }
    const modified = e.ctrlKey || e.metaKey || e.altKey || e.getModifierState?.("AltGraph");
    if (e.repeat || modified || e.isComposing || !e.key) return;
    const key = pressed(e), button = document.getElementById("vcs-key-" + key);
    if (button && button.offsetParent !== null) {
      e.preventDefault();
      waiting.push(key);
      if (!busy) next();
      return;
    }
    const note = document.querySelector("#vcs-note textarea, #vcs-note input");
    if (key === "n" && note && note.offsetParent !== null) { e.preventDefault(); note.focus(); }
    const flag = document.querySelector("#vcs-flag input");
    if (key === "f" && flag && flag.offsetParent !== null) { e.preventDefault(); flag.click(); }
  });
})();
