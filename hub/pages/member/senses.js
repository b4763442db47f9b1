// What this device can measure: position and speed, motion, and the heart by a Bluetooth strap. In memory, and only when
// the store has asked and she has agreed.

const FRESH_MS = 10_000;
const MOTION_MS = 1200;
const HEART_RATE = "heart_rate";

// The value of a Heart Rate Measurement (Bluetooth Heart Rate Service 1.0, section 3.1): flags, then 8 or 16 bits.
export function heartRate(view) {
  return view.getUint8(0) & 1 ? view.getUint16(1, true) : view.getUint8(1);
}

export class Senses {
  // `onStrap()` is called when the strap's state changed.
  constructor(onStrap) {
    this._onStrap = onStrap;
    this._heart = null;
    this._watch = null;
    this.strap = "none"; // none, connecting, connected, lost
  }

  // Call it in the handler of a touch: browsers ask then, and only then.
  async askForPermissions({ motion = true } = {}) {
    if (motion) await globalThis.DeviceMotionEvent?.requestPermission?.().catch(() => {});
    return this._place(20_000).then(() => true, () => false);
  }

  // The readings that were asked for and can be had within `waitMs`.
  async measure(names, waitMs) {
    const found = {};
    const wants = (...any) => any.some((name) => names.includes(name));
    await Promise.all([
      wants("position", "speed") && (await this._mayPlace()) ? this._place(waitMs).then((place) => this._placed(found, place, names), () => {}) : null,
      wants("acceleration") ? this._motion(Math.min(waitMs, MOTION_MS)).then((value) => {
        if (value !== null) found.acceleration_m_s2 = value;
      }) : null,
    ]);
    if (wants("heart_rate") && this._heart !== null && Date.now() - this._heart.at < FRESH_MS) {
      found.heart_rate_per_min = this._heart.value;
    }
    return found;
  }

  _placed(found, { coords }, names) {
    if (names.includes("position")) {
      found.position = { latitude_deg: coords.latitude, longitude_deg: coords.longitude, accuracy_m: Math.min(coords.accuracy, 100_000) };
    }
    if (names.includes("speed") && Number.isFinite(coords.speed) && coords.speed >= 0) found.speed_m_s = Math.min(coords.speed, 100);
  }

  // Whether the position may be asked for without a question popping up out of nowhere.
  async _mayPlace() {
    if (!("geolocation" in navigator)) return false;
    try {
      return (await navigator.permissions.query({ name: "geolocation" })).state === "granted";
    } catch {
      return true;
    }
  }

  _place(timeout) {
    return new Promise((resolve, reject) => {
      if (!("geolocation" in navigator)) reject(new Error("no geolocation"));
      else navigator.geolocation.getCurrentPosition(resolve, reject, { enableHighAccuracy: true, maximumAge: 0, timeout });
    });
  }

  // Mean magnitude without gravity, in m/s²; null where nothing moves or nothing measures.
  _motion(forMs) {
    return new Promise((resolve) => {
      const seen = [];
      const hear = ({ acceleration: a }) => {
        if (a !== null && Number.isFinite(a.x) && Number.isFinite(a.y) && Number.isFinite(a.z)) seen.push(Math.hypot(a.x, a.y, a.z));
      };
      addEventListener("devicemotion", hear);
      setTimeout(() => {
        removeEventListener("devicemotion", hear);
        resolve(seen.length === 0 ? null : Math.min(200, seen.reduce((sum, one) => sum + one, 0) / seen.length));
      }, forMs);
    });
  }

  // --- position all the time, for the store's circle

  get watching() {
    return this._watch !== null;
  }

  // Does nothing where the browser has not been allowed to tell; call it again then.
  async watch(hear) {
    if (!(await this._mayPlace())) return;
    this.unwatch();
    this._watch = navigator.geolocation.watchPosition(
      ({ coords }) => hear({ latitude_deg: coords.latitude, longitude_deg: coords.longitude, accuracy_m: coords.accuracy }),
      () => {},
      { enableHighAccuracy: false, maximumAge: 30_000 },
    );
  }

  unwatch() {
    if (this._watch !== null) navigator.geolocation.clearWatch(this._watch);
    this._watch = null;
  }

  // --- a heart-rate strap (Bluetooth SIG service 0x180D)

  get hasStraps() {
    return "bluetooth" in navigator;
  }

  async connectStrap() {
    let device;
    try {
      device = await navigator.bluetooth.requestDevice({ filters: [{ services: [HEART_RATE] }] });
    } catch {
      return; // she chose none
    }
    device.addEventListener("gattserverdisconnected", () => this._strapIs("lost"));
    await this._listen(device);
  }

  async _listen(device) {
    this._strapIs("connecting");
    try {
      const service = await (await device.gatt.connect()).getPrimaryService(HEART_RATE);
      const measured = await service.getCharacteristic("heart_rate_measurement");
      measured.addEventListener("characteristicvaluechanged", ({ target }) => {
        const value = heartRate(target.value);
        if (value >= 20 && value <= 250) this._heart = { value, at: Date.now() };
      });
      await measured.startNotifications();
      this._strapIs("connected");
    } catch {
      this._strapIs("lost");
    }
  }

  _strapIs(state) {
    this.strap = state;
    if (state !== "connected") this._heart = null;
    this._onStrap();
  }
}
