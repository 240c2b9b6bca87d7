// Watches what waits for a case go through. Without scripts the page reloads itself instead.
(function () {
  "use strict";
  const box = document.querySelector("[data-progress]");
  if (!box) return;
  const bar = box.querySelector("progress");
  const said = box.querySelector("[data-said]");
  let failures = 0;

  async function look() {
    try {
      const response = await fetch(box.dataset.progress, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(String(response.status));
      const state = await response.json();
      failures = 0;
      bar.max = state.of;
      bar.value = state.done;
      said.textContent = state.said;
      if (state.finished) {
        window.location.assign(box.dataset.then);
        return;
      }
    } catch {
      failures += 1;
      if (failures === 5) said.textContent = "No answer from the server. Reload the page to look again.";
      if (failures >= 5) return;
    }
    window.setTimeout(look, 700);
  }
  window.setTimeout(look, 400);
})();
