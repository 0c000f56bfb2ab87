// @ts-check
// Runs before anything is drawn: the theme that was chosen on this device, else the system's.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem("zhixun-theme");
  const system = () => (dark.matches ? "dark" : "light");
  const show = () => void (document.documentElement.dataset.theme = chosen() ?? system());
  dark.addEventListener("change", show);
  window.switchTheme = () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    // Back to what the system says: then it follows the system again.
    if (next === system()) localStorage.removeItem("zhixun-theme");
    else localStorage.setItem("zhixun-theme", next);
    show();
    dispatchEvent(new Event("themechange"));
  };
  show();
})();
