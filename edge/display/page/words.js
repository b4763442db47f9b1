// What the page says by itself: when it hears nothing from its lane, and beside the agent's words.

export const LOST = {
  screen: "lost",
  tone: "lost",
  head: { ja: "接続が切れています", en: "Connection lost" },
  lines: [
    { kind: "do", text: { ja: "ゲートをご利用の際は、係員にお声がけください", en: "Please speak to a clerk before you use the gate" } },
  ],
  qr: null,
  left_s: null,
  typed: null,
};

export const CONNECTING = {
  ...LOST,
  screen: "starting",
  tone: "calm",
  head: { ja: "準備しています", en: "Getting ready" },
  lines: [],
};

export const LANE = { ja: (lane) => `レーン ${lane}`, en: (lane) => `Lane ${lane}` };
export const LEFT = { ja: (seconds) => `あと ${seconds} 秒`, en: (seconds) => `${seconds} s left` };
