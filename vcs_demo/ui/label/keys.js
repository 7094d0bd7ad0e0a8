// Keys press the buttons they are printed on, unless someone is typing or holds a modifier. Keys in a fast row wait
// for one another: each is pressed once the answer to the one before it is on the page, so order is kept and every
// decision is about the candidate that is shown.
(() => {
  const waiting = [];
  let busy = false;
  const turn = () => document.querySelector("#vcs-judge [data-turn]")?.dataset.turn;
  const next = () => {
    const key = waiting.shift();
    const button = key && document.getElementById("vcs-key-" + key);
    busy = Boolean(button && button.offsetParent !== null);
    if (!busy) { waiting.length = 0; return; }
    const before = turn(), began = Date.now();
    button.click();
    const look = () => (turn() !== before || Date.now() - began > 1500) ? next() : setTimeout(look, 20);
    look();
  };
  document.addEventListener("keydown", (e) => {
    if (e.repeat || e.ctrlKey || e.metaKey || e.altKey) return;
    const typing = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable='true']";
    if (e.target.closest && e.target.closest(typing + ", [role='listbox']")) {
      if (e.key === "Escape") e.target.blur();
      return;
    }
    const key = e.key.toLowerCase(), button = document.getElementById("vcs-key-" + key);
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
