// Drawing without markup: text reaches a page by textContent alone, so that a name is never anything but a name.

export const $ = (id) => document.getElementById(id);

export function set(id, text) {
  const element = typeof id === "string" ? $(id) : id;
  if (element.textContent !== text) element.textContent = text;
}

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const drawn = new Map();

// An SVG as the source of an image; nothing: no picture. The same picture is made once.
export function picture(image, svg) {
  if (!svg) {
    image.removeAttribute("src");
    return;
  }
  if (!drawn.has(svg)) drawn.set(svg, URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })));
  const url = drawn.get(svg);
  drawn.delete(svg);
  drawn.set(svg, url); // the ones that are used last stay
  for (const [old, its] of [...drawn].slice(0, Math.max(0, drawn.size - 40))) {
    URL.revokeObjectURL(its);
    drawn.delete(old);
  }
  if (image.src !== url) image.src = url;
}
