// The exit code over NFC, where the browser can write (Chrome on Android, on https): an NDEF text record that holds what the QR
// code holds. The phone is held to the lane's reader, which takes it as a tag takes it.

// `state`: off, waiting, done, failed
class Nfc {
  constructor() {
    this.state = "off";
    this._ended = null;
  }

  get possible() {
    return "NDEFReader" in window;
  }

  // Writes it at the next touch, and the newer one after it was renewed; `changed` hears of each step.
  async offer(text, changed) {
    this.stop();
    const ended = (this._ended = new AbortController());
    this.state = "waiting";
    try {
      const writer = new window.NDEFReader();
      await writer.write({ records: [{ recordType: "text", lang: "en", data: text }] }, { signal: ended.signal, overwrite: true });
      if (ended === this._ended) this.state = "done";
    } catch {
      if (ended === this._ended) this.state = "failed";
    }
    if (ended === this._ended) changed();
  }

  stop() {
    this._ended?.abort();
    this._ended = null;
    this.state = "off";
  }
}

export const nfc = new Nfc();
