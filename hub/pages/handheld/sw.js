// The clerk's page without the hub: it starts, and says that nobody answers.

importScripts("../shared/shell.js");

self.keepShell({
  cache: "instore-handheld-2",
  shell: [
    "./", "./style.css", "./app.js", "./alert_book.js", "./contract.js", "./link.js", "./signals.js", "./view.js", "./words.js",
    "./config.json", "./icon.svg", "./icon-192.png", "./manifest.webmanifest", "../vendor/mqtt.esm.js",
    "../shared/awake.js", "../shared/sound.js",
  ],
  ours: () => true,
});
