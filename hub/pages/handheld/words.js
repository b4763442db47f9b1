// Everything the page says to a clerk, in both languages.

const WORDS = {
  ja: {
    language: "English に切り替える",
    title: "接客ハンディ",
    other_language: "EN",
    clerk_id: "担当者 ID",
    password: "パスワード",
    sign_in: "サインイン",
    signing_in: "接続しています…",
    sign_out: "サインアウト",
    bad_id: "担当者 ID は英数字と _ . - で 64 文字までです。",
    connected: "接続中",
    connecting: "接続しています…",
    not_connected: "未接続",
    offline: "未接続",
    away: "ブローカーに接続できません。自動で接続し直しています。その間、お願いは届きません。",
    refused: (user) => `${user} は受け付けられませんでした。担当者 ID とパスワードを確かめてください。`,
    forbidden: (user) => `${user} にはこの店舗の受信が許されていません。担当者 ID を確かめてください。`,
    no_config: "店舗の設定(config.json)が読めません。読み込み直してください。",
    hub_away: "店舗システムが停止しています。新しいお願いは届きません。",
    enable_sound: "ここをタップすると音が鳴ります",
    none: "現在お願いはありません",
    none_hint: "お願いが届くと振動と音でお知らせします。",
    open_count: (n) => `未対応 ${n} 件`,
    service_request: "接客のお願い",
    special_treatment: "特別なご対応",
    coupon: "クーポンのご案内",
    lane: "出口の応援",
    main: "主担当",
    deputy: "副担当",
    group: "応援のお願い",
    place: (where) => `場所: ${where}`,
    preferences: (what) => `お好み: ${what}`,
    recommend: (title) => `おすすめください: ${title}`,
    history: "最近のお買い上げ",
    waiting: "お待たせ",
    name: (name) => `${name} 様`,
    visits: (n) => `ご来店 ${n} 回`,
    points: (n) => `${n} ポイント`,
    average: (amount) => `平均 ${amount}`,
    accept: "対応する",
    decline: "対応できない",
    give_back: "交代する",
    served: "対応完了",
    bought: "ご購入",
    not_found: "ご不在",
    over_served: "対応完了しました",
    over_bought: "お買い上げになりました",
    over_not_found: "見つかりませんでした",
    accept_after_all: "やはり対応する",
    sending: "送信中…",
    unconfirmed: "確認中…",
    mine: "あなたが対応中",
    taken: (who) => (who ? `${who} さんが対応中` : "ほかの担当者が対応中"),
    declined: "辞退しました",
    over: "終了しました",
    screen_on: "画面: 常時点灯",
    screen_off: "画面: 自動で消えます",
    broken: (n) => `読めない通知 ${n} 件`,
    announce: (kind, name) => `${kind}。${name}`,
  },
  en: {
    language: "Switch to Japanese (日本語)",
    title: "Clerk's handheld",
    other_language: "日本語",
    clerk_id: "Clerk ID",
    password: "Password",
    sign_in: "Sign in",
    signing_in: "Connecting …",
    sign_out: "Sign out",
    bad_id: "A clerk ID has up to 64 letters, digits, '_', '.' and '-'.",
    connected: "Connected",
    connecting: "Connecting …",
    not_connected: "NOT CONNECTED",
    offline: "Offline",
    away: "The broker does not answer. Trying again by itself. Until then no requests will come.",
    refused: (user) => `${user} was refused. Check the clerk ID and the password.`,
    forbidden: (user) => `${user} may not read this store's requests. Check the clerk ID.`,
    no_config: "The store's settings (config.json) can't be read. Load the page again.",
    hub_away: "The store's hub is away: no new requests will come.",
    enable_sound: "Tap here to enable sound",
    none: "Nothing to do now",
    none_hint: "A request will vibrate and sound.",
    open_count: (n) => `${n} open`,
    service_request: "Service request",
    special_treatment: "Special treatment",
    coupon: "Coupon to offer",
    lane: "Lane needs a clerk",
    main: "Main clerk",
    deputy: "Deputy",
    group: "Help wanted",
    place: (where) => `Where: ${where}`,
    preferences: (what) => `Likes: ${what}`,
    recommend: (title) => `Please recommend: ${title}`,
    history: "Last purchases",
    waiting: "Waiting",
    name: (name) => name,
    visits: (n) => (n === "1" ? "1 visit" : `${n} visits`),
    points: (n) => `${n} points`,
    average: (amount) => `Average ${amount}`,
    accept: "Accept",
    decline: "Can't attend",
    give_back: "Give back",
    served: "Served",
    bought: "Bought",
    not_found: "Not found",
    over_served: "Served",
    over_bought: "Served, and bought",
    over_not_found: "Customer not found",
    accept_after_all: "Accept after all",
    sending: "Sending …",
    unconfirmed: "Confirming …",
    mine: "You are attending",
    taken: (who) => (who ? `Taken by ${who}` : "Taken by somebody else"),
    declined: "You declined",
    over: "Over",
    screen_on: "Screen stays on",
    screen_off: "Screen may sleep",
    broken: (n) => `${n} messages not understood`,
    announce: (kind, name) => `${kind}. ${name}`,
  },
};

export class Words {
  constructor(language) {
    this.language = WORDS[language] ? language : "ja";
  }

  // A sentence, with what varies in it.
  say(key, ...values) {
    const found = WORDS[this.language][key];
    return typeof found === "function" ? found(...values) : found;
  }

  // A text that the hub wrote in both languages.
  of(bilingual) {
    return bilingual[this.language];
  }

  count(number) {
    return new Intl.NumberFormat(this.language).format(number);
  }

  // Money in minor units of its currency: 1 is 1 yen, 100 are 1 euro.
  money(minor, currency) {
    const format = new Intl.NumberFormat(this.language, { style: "currency", currency });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  }

  // A calendar day such as 2026-03-01.
  day(text) {
    const [year, month, day] = text.split("-").map(Number);
    return new Intl.DateTimeFormat(this.language, { month: "short", day: "numeric" }).format(new Date(year, month - 1, day));
  }

  get next() {
    return this.language === "ja" ? "en" : "ja";
  }
}

// A time span as m:ss, or h:mm:ss.
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
