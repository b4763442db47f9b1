// Finds codes in a picture, beside the page, so that the page stays quick. Everything it needs comes from the hub.

importScripts("../vendor/zxing_reader.js");

const { prepareZXingModule, readBarcodes } = self.ZXingWASM;
const OPTIONS = {
  formats: ["EAN13", "EAN8", "UPCA", "QRCode"], tryHarder: true, tryInvert: false, tryDownscale: true, maxNumberOfSymbols: 4,
};
const LINEAR = ["EAN13", "EAN8", "UPCA"];

prepareZXingModule({ overrides: { locateFile: (name) => new URL(`../vendor/${name}`, self.location.href).href }, fireImmediately: true });

self.addEventListener("message", async ({ data: { id, image } }) => {
  try {
    const found = await readBarcodes(image, OPTIONS);
    self.postMessage({ id, found: found.filter((each) => each.isValid).map((each) => ({ text: each.text, linear: LINEAR.includes(each.format) })) });
  } catch (error) {
    self.postMessage({ id, problem: String(error) });
  }
});
