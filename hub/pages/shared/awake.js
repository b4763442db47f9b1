// Keeps the screen on. Works on https (or localhost) only, and not on a phone that saves its battery: `held` says whether it does.

export class Awake {
  constructor() {
    this._lock = null;
    this._wanted = false;
  }

  get held() {
    return this._lock !== null && !this._lock.released;
  }

  // Call it again when the page is looked at again: a hidden page loses the lock.
  async hold() {
    this._wanted = true;
    if (document.visibilityState !== "visible" || !("wakeLock" in navigator) || this.held) return this.held;
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (this._wanted) this._lock = lock;
      else lock.release().catch(() => {});
    } catch {
      this._lock = null;
    }
    return this.held;
  }

  release() {
    this._wanted = false;
    this._lock?.release().catch(() => {});
    this._lock = null;
  }
}
