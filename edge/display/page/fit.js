// As large as it fits. The key words stay as large as can be read from two metres as long as anything else can give way.

const LARGEST = 11.5; // of the window's height, in percent: the first language of the key words
const LEGIBLE = 6.2; // either language
const SECOND = 0.68; // the other language, of the first
const LINES = [0.56, 0.48, 0.42, 0.36]; // the lines below, of the key words
const SMALLEST = 2.2;
const LEAST = 0.8;
const STEP = 0.97;
const ORPHAN_EM = 1.9;

// `main` holds `box`; "dense" gives the text more room at the picture's cost, "tight" lets words break anywhere.
export function fit(main, box) {
  if (box.clientHeight === 0) return;
  const set = (head, second, lines) => {
    box.style.setProperty("--head", `${head}vh`);
    box.style.setProperty("--second", `${second}vh`);
    box.style.setProperty("--line", `${lines}vh`);
    return box.scrollHeight <= box.clientHeight && box.scrollWidth <= box.clientWidth;
  };
  main.className = "";
  for (let head = LARGEST; head > LEGIBLE * 1.15; head *= STEP) {
    if (set(head, Math.max(LEGIBLE, head * SECOND), head * LINES[0]) && whole(box)) return;
  }
  for (const density of ["", "dense"]) {
    main.className = density;
    for (const part of LINES) {
      for (let head = LEGIBLE * 1.25; head > LEGIBLE; head *= STEP) {
        if (set(head, LEGIBLE, Math.max(SMALLEST, head * part)) && whole(box)) return;
      }
    }
  }
  // A name or a text of the store that is very long: words are broken, the lines shrink, at last everything; nothing is cut.
  main.className = "dense tight";
  for (let line = SMALLEST; line > LEAST; line *= STEP) if (set(LEGIBLE, LEGIBLE, line)) return;
  for (let head = LEGIBLE; head > LEAST; head *= STEP) if (set(head, head, LEAST)) return;
}

// A last line of one letter: the browser has broken a word that was too long for a line.
function whole(box) {
  return [...box.querySelectorAll(":lang(ja) b")].every((clause) => {
    const lines = [...rects(clause)];
    if (lines.length < 2) return true;
    return lines.at(-1).width >= ORPHAN_EM * parseFloat(getComputedStyle(clause).fontSize);
  });
}

function rects(clause) {
  const range = document.createRange();
  range.selectNodeContents(clause);
  return range.getClientRects();
}
