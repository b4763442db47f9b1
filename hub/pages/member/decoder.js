// Codes in a picture of the camera: by the browser where it can, else by ZXing in a worker (about 1 MB, loaded when the camera is
// first opened).

const FORMATS = ["ean_13", "ean_8", "upc_a", "qr_code"];
const LONGEST = 960; // pixels of the part that is looked at: enough for a code that fills a third of it
const PART = { width: 0.92, height: 0.9 }; // of what is seen of the video: a little more than the frame on the screen

export async function bestDecoder() {
  const native = window.BarcodeDetector;
  const known = (await native?.getSupportedFormats().catch(() => [])) ?? [];
  return FORMATS.every((format) => known.includes(format)) ? new Native(new native({ formats: FORMATS })) : new Vendored();
}

// Some browsers have the reader and not the service of the phone behind it: it fails at the first picture, then ZXing takes over.
class Native {
  constructor(detector) {
    Object.assign(this, { _detector: detector, _instead: null });
  }

  async read(video) {
    if (this._instead !== null) return this._instead.read(video);
    try {
      const found = await this._detector.detect(part(video).canvas);
      return found.map(({ rawValue, format }) => ({ text: rawValue, linear: format !== "qr_code" }));
    } catch {
      this._instead = new Vendored();
      return [];
    }
  }

  close() {
    this._instead?.close();
  }
}

class Vendored {
  constructor() {
    this._worker = new Worker("./decoder_worker.js");
    this._waiting = new Map();
    this._next = 1;
    this._dead = null;
    this._worker.addEventListener("message", ({ data: { id, found, problem } }) => {
      const { done, failed } = this._waiting.get(id);
      this._waiting.delete(id);
      if (problem === undefined) done(found);
      else failed(new Error(problem));
    });
    this._worker.addEventListener("error", (event) => {
      event.preventDefault(); // said on the page, or nobody waits for it any more
      this._over(new Error(event.message ?? "the decoder could not be loaded"));
    });
  }

  read(video) {
    const { canvas, pen } = part(video);
    const image = pen.getImageData(0, 0, canvas.width, canvas.height);
    const id = this._next++;
    if (this._dead !== null) return Promise.reject(this._dead);
    return new Promise((done, failed) => {
      this._waiting.set(id, { done, failed });
      this._worker.postMessage({ id, image }, [image.data.buffer]);
    });
  }

  _over(error) {
    this._dead = error;
    for (const { failed } of this._waiting.values()) failed(error);
    this._waiting.clear();
  }

  close() {
    this._worker.terminate();
    this._over(new Error("closed"));
  }
}

let sheet = null;

// The part of the picture that the frame shows: a second code beside it is not meant. The video covers its box and is cut.
function part(video) {
  const cover = Math.max(video.clientWidth / video.videoWidth, video.clientHeight / video.videoHeight) || 1;
  const wide = Math.min(video.videoWidth, (video.clientWidth || video.videoWidth) / cover) * PART.width;
  const high = Math.min(video.videoHeight, (video.clientHeight || video.videoHeight) / cover) * PART.height;
  const scale = Math.min(1, LONGEST / Math.max(wide, high));
  const [width, height] = [Math.round(wide * scale), Math.round(high * scale)];
  sheet ??= document.createElement("canvas");
  if (sheet.width !== width || sheet.height !== height) Object.assign(sheet, { width, height });
  const pen = sheet.getContext("2d", { willReadFrequently: true });
  pen.drawImage(video, (video.videoWidth - wide) / 2, (video.videoHeight - high) / 2, wide, high, 0, 0, width, height);
  return { canvas: sheet, pen };
}
