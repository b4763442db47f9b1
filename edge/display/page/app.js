// A lane's display: views come from the agent on this machine, and this page shows and sounds them.

import { Link } from "./link.js";
import { Stage } from "./show.js";
import { Sound } from "./sound.js";
import { CONNECTING, LOST } from "./words.js";

const lane = decodeURIComponent(location.pathname.split("/").pop());
const stage = new Stage(lane);
const sound = new Sound();
const mute = document.getElementById("mute");

stage.show(CONNECTING);
new Link(`/lane/${encodeURIComponent(lane)}/events`, {
  onView(view, first) {
    stage.show(view);
    document.body.dataset.arrow = view.arrow;
    sound.give(view.sound, view.languages, first);
    mute.toggleAttribute("hidden", !sound.muted);
  },
  onLost() {
    stage.show(LOST);
    sound.silence();
  },
});

// A display that goes dark serves nobody; a screen that may not be kept on is the machine's matter.
async function keepOn() {
  if (document.visibilityState === "visible") await navigator.wakeLock?.request("screen").catch(() => {});
}
addEventListener("visibilitychange", keepOn);
keepOn();

// So that a display that is switched on while the agent is away says so, instead of showing a browser's error.
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});
