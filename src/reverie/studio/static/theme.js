// Runs before anything is drawn: light or dark as it was chosen last, else as the system has it.
document.documentElement.dataset.theme =
  localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
