// Whether this device is in the store, by its own position and the store's circle. Only the answer ever leaves the device.

const EARTH_M = 6_371_000;

// Metres between two places, each {latitude_deg, longitude_deg} (great circle).
export function metres(one, other) {
  const rad = (degrees) => (degrees * Math.PI) / 180;
  const [a, b] = [rad(one.latitude_deg), rad(other.latitude_deg)];
  const half = Math.sin((a - b) / 2) ** 2
    + Math.cos(a) * Math.cos(b) * Math.sin(rad(one.longitude_deg - other.longitude_deg) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(half)));
}

// `hear(place)` with {latitude_deg, longitude_deg, accuracy_m} gives "arrived", "left" or null. A place that is less exact
// than the circle is large says nothing, and leaving must be sure: nobody goes in and out while she stands at the door.
export class Fence {
  constructor(circle) {
    this.circle = circle;
    this.inside = null;
  }

  hear(place) {
    const { radius_m: radius } = this.circle;
    const away = metres(place, this.circle);
    if (place.accuracy_m > Math.max(radius, 100)) return null;
    const now = away <= radius ? true : away - place.accuracy_m > radius ? false : this.inside;
    if (now === null || now === this.inside) return null;
    const first = this.inside === null;
    this.inside = now;
    return now ? "arrived" : first ? null : "left";
  }
}
