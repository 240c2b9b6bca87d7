// A search that has found nothing yet goes on by itself, until somebody stops it. Without scripts its button does.
(function () {
  "use strict";
  const form = document.querySelector("[data-onward]");
  if (!form) return;
  const stop = form.querySelector("[data-stop]");
  const said = form.querySelector("[data-said]");
  said.textContent = "Going on further back …";
  stop.hidden = false;
  const timer = window.setTimeout(() => form.requestSubmit(), 400);
  stop.addEventListener("click", () => {
    window.clearTimeout(timer);
    window.stop(); // a slice that is under way ends at the server by itself, within seconds
    stop.hidden = true;
    said.textContent = "Stopped.";
  });
})();
