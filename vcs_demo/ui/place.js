// What a browser tab shows is remembered for as long as that tab lives, so that it is there again after a reload: which
// room is open, what is in its fields, which case an adjudicator looks at, and what was running when the connection went.
window.vcsPlace = (() => {
  const name = (place) => "vcs-place:" + place;
  const recall = (place) => { try { return JSON.parse(sessionStorage.getItem(name(place))); } catch { return null; } };
  const remember = (place, shown) => {
    try { sessionStorage.setItem(name(place), JSON.stringify(shown)); } catch { /* no storage, nothing to recall */ }
  };
  const forget = (place) => { try { sessionStorage.removeItem(name(place)); } catch { /* none */ } };
  return {
    remember,
    recall,
    forget,
    // The page names what it shows; one that was just loaded shows nothing yet and takes what the tab showed before.
    opening: (place, shown) => (shown[0] ? shown : recall(place) || shown),
    clear: () => { try { Object.keys(sessionStorage).filter((key) => key.startsWith(name(""))).forEach((key) => sessionStorage.removeItem(key)); } catch { /* none */ } },
  };
})();
