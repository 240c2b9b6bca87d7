// Light or dark as this person chose it; loaded before the first paint so that nothing flashes.
(function () {
  "use strict";
  const root = document.documentElement;
  const KEY = "throughline.theme";
  let chosen = null;
  try {
    chosen = localStorage.getItem(KEY);
  } catch {
    // storage may be switched off; the system's choice holds then
  }
  root.classList.add("js");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const systemDark = () => window.matchMedia("(prefers-color-scheme: dark)").matches;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark());

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      const say = () => {
        button.textContent = isDark() ? "Light theme" : "Dark theme";
      };
      button.hidden = false;
      say();
      button.addEventListener("click", () => {
        root.dataset.theme = isDark() ? "light" : "dark";
        try {
          localStorage.setItem(KEY, root.dataset.theme);
        } catch {
          // it then holds for this page only
        }
        say();
      });
    }
    const menu = document.querySelector("[data-menu]");
    const opener = document.querySelector("[data-menu-button]");
    if (menu && opener) {
      opener.addEventListener("click", () => {
        const open = menu.classList.toggle("open");
        opener.setAttribute("aria-expanded", String(open));
      });
    }
    // A second press of the same button while the first is under way does nothing.
    for (const form of document.querySelectorAll("form[method=post]")) {
      form.addEventListener("submit", (event) => {
        if (form.dataset.sent) event.preventDefault();
        form.dataset.sent = "yes";
      });
    }
    window.addEventListener("pageshow", () => {
      for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    });
  });
})();
