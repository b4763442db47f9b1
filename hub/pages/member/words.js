// Everything the page says to a member, in both languages. What she agrees to comes from the hub.

import { SHOP } from "./words_shop.js";

const WORDS = {
  ja: {
    ...SHOP.ja,
    language: "Switch to English",
    other_language: "EN",
    title: "会員証",
    loading: "読み込んでいます…",
    away_first: "お店に接続できません。電波のよい場所で、もう一度お開きください。",
    connected: "接続中",
    connecting: "接続しています…",
    away: "未接続",
    lost: (since) => `お店と接続していません(${since}から)。会員証とクーポンはこのまま使えます。自動で接続し直します。`,
    register: "会員登録",
    register_hint: "ご登録いただくと、この端末がそのまま会員証になります。",
    have: "すでに会員の方はこちら",
    name: "お名前",
    gender: "性別(任意)",
    genders: { "": "回答しない", female: "女性", male: "男性", other: "その他" },
    birth_year: "生まれた年(西暦・任意)",
    phone: "電話番号",
    email: "メールアドレス",
    reach_hint: "電話番号かメールアドレスのどちらかが必要です。",
    consents: "同意していただく項目",
    consents_hint: "必要な項目だけお選びください。どれも、あとからいつでも変更できます。",
    join: "登録する",
    busy: "送信しています…",
    check: "赤い項目をご確認ください。",
    failed: "お店に接続できませんでした。もう一度お試しください。",
    sign_in: "会員の方のログイン",
    sign_in_hint: "ご登録のメールアドレスか電話番号をご入力ください。",
    contact: "メールアドレスまたは電話番号",
    ask: "次へ",
    to_register: "新しく会員登録する",
    claim: "ご本人の確認",
    claim_counter: (minutes) => `店頭のスタッフに、この番号をお見せください(${minutes}分間有効)。ご本人を確認すると、以前の会員証がこの端末に戻ります。`,
    claim_mail: " ご登録のメールアドレスがあれば、コードをお送りしています。下にご入力いただいても構いません。",
    code: "メールで届いたコード(8桁)",
    send_code: "確認する",
    back: "戻る",
    card: "会員証",
    coupons: "クーポン",
    settings: "設定",
    greeting: (name) => `${name} 様`,
    code_hint: "入口やレジのリーダーに、この画面をかざしてください。",
    member_code: "会員コード",
    points: (n) => `${n} ポイント`,
    number: (id) => `会員番号 ${id}`,
    none: "クーポンはまだありません",
    none_hint: "お買い物に合わせてクーポンをお届けします。届くと音と振動でお知らせします。",
    arrived: (title) => `クーポンが届きました:${title}`,
    show: "表示する",
    new: "新着",
    until: (day) => `${day} まで`,
    from: (day) => `${day} から使えます`,
    redeemed: "使用済み",
    expired: "期限切れ",
    withdrawn: "取り消されました",
    show_at_till: "レジでこの画面をお見せください。",
    close: "閉じる",
    agreed: "同意の内容",
    agreed_hint: "オフにすると、その目的にはすぐに使われなくなります。",
    devices: "この端末",
    notify: "クーポンの通知を受け取る",
    push_begin: "画面を閉じていても通知を受け取る",
    push_end: "通知をやめる",
    push_on: "クーポンが届くと、画面を閉じていてもこの端末に通知します。",
    push_refused: "この端末の設定で、通知が許可されていません。",
    push_failed: "通知を設定できませんでした。もう一度お試しください。",
    strap: "心拍センサー(胸ベルト)を接続する",
    strap_none: "",
    strap_connecting: "心拍センサーに接続しています…",
    strap_connected: "心拍センサーと接続しています。",
    strap_lost: "心拍センサーとの接続が切れました。",
    history: "お店に送った測定値",
    history_none: "この画面を開いてから、測定値は送っていません。",
    record: "ご登録内容",
    joined_before: "以前から会員の方はこちら",
    earlier: "以前の会員証を引き継ぐ",
    sign_out: "この端末からログアウトする",
    sign_out_sure: "もう一度押すとログアウトします",
    sent: (time, what) => `${time} お店の問い合わせに、この端末が答えました:${what}`,
    sent_none: (time) => `${time} お店から測定値の問い合わせがありましたが、この端末では測れないため送っていません`,
    sent_refused: (time) => `${time} お店から測定値の問い合わせがありましたが、同意がないため送っていません`,
    stop: "。",
    sent_briefly: "お飲み物や休憩室のご案内のためだけに使われ、保存されません。",
    sent_why: "目的:ご体調に合わせて、お飲み物や休憩室をご案内するため。お店は測定値を保存せず、スタッフにも見せません。",
    and: "、",
    readings: {
      position: "位置", speed_m_s: "速さ", acceleration_m_s2: "動き", heart_rate_per_min: "心拍数",
    },
  },
  en: {
    ...SHOP.en,
    language: "日本語に切り替える",
    other_language: "日本語",
    title: "Member card",
    loading: "Loading…",
    away_first: "The store can't be reached. Please open this page again where the network is better.",
    connected: "Connected",
    connecting: "Connecting…",
    away: "Not connected",
    lost: (since) => `Not connected to the store since ${since}. Your card and coupons work as they are. Connecting again by itself.`,
    register: "Become a member",
    register_hint: "With your registration this device becomes your member card.",
    have: "I am a member already",
    name: "Name",
    gender: "Gender (if you like)",
    genders: { "": "I prefer not to say", female: "Female", male: "Male", other: "Other" },
    birth_year: "Year of birth (if you like)",
    phone: "Phone number",
    email: "E-mail address",
    reach_hint: "We need one of phone number and e-mail address.",
    consents: "What you agree to",
    consents_hint: "Choose only what you want. You can change each of them at any time.",
    join: "Register",
    busy: "Sending…",
    check: "Please check what is marked in red.",
    failed: "The store could not be reached. Please try again.",
    sign_in: "Members, sign in",
    sign_in_hint: "Please write the e-mail address or phone number that you registered.",
    contact: "E-mail address or phone number",
    ask: "Next",
    to_register: "Register as a new member",
    claim: "Is it you?",
    claim_counter: (minutes) => `Show this number to a clerk at the counter. It holds for ${minutes} minutes. When the clerk has seen that it is you, your membership is on this device.`,
    claim_mail: " If you registered an e-mail address, we have sent a code there. You can also enter it below.",
    code: "Code from the e-mail (8 digits)",
    send_code: "Check",
    back: "Back",
    card: "Card",
    coupons: "Coupons",
    settings: "Settings",
    greeting: (name) => name,
    code_hint: "Hold this screen before the reader at an entrance or a till.",
    member_code: "Member code",
    points: (n) => `${n} points`,
    number: (id) => `Member no. ${id}`,
    none: "No coupons yet",
    none_hint: "We send coupons that suit your shopping. A sound and a vibration tell you.",
    arrived: (title) => `A coupon for you: ${title}`,
    show: "Show",
    new: "New",
    until: (day) => `until ${day}`,
    from: (day) => `can be used from ${day}`,
    redeemed: "Used",
    expired: "Expired",
    withdrawn: "Taken back",
    show_at_till: "Show this screen at the till.",
    close: "Close",
    agreed: "What you agreed to",
    agreed_hint: "What you switch off is not done any more from that moment.",
    devices: "This device",
    notify: "Get notifications of coupons",
    push_begin: "Get notifications also while this page is closed",
    push_end: "No more notifications",
    push_on: "This device tells you of coupons, also while this page is closed.",
    push_refused: "Notifications are not allowed in this device's settings.",
    push_failed: "Notifications could not be set up. Please try again.",
    strap: "Connect a heart-rate strap",
    strap_none: "",
    strap_connecting: "Connecting to the strap…",
    strap_connected: "Connected to the heart-rate strap.",
    strap_lost: "The heart-rate strap has gone.",
    history: "Readings sent to the store",
    history_none: "None since this page was opened.",
    record: "Your record",
    joined_before: "I was a member before",
    earlier: "Bring an earlier membership here",
    sign_out: "Sign out on this device",
    sign_out_sure: "Press again to sign out",
    sent: (time, what) => `${time} The store asked, and this device answered: ${what}`,
    sent_none: (time) => `${time} The store asked for readings. This device can't measure them: nothing was sent`,
    sent_refused: (time) => `${time} The store asked for readings. You have not agreed: nothing was sent`,
    stop: ". ",
    sent_briefly: "Only to offer you a drink or a rest; nothing is kept.",
    sent_why: "Why: so that you can be offered a drink or a rest if you need one. The store doesn't keep them, and no clerk sees them.",
    and: ", ",
    readings: { position: "position", speed_m_s: "speed", acceleration_m_s2: "motion", heart_rate_per_min: "heart rate" },
  },
};

export class Words {
  constructor(language) {
    this.language = language in WORDS ? language : "ja";
  }

  get next() {
    return this.language === "ja" ? "en" : "ja";
  }

  say(key, ...values) {
    const text = WORDS[this.language][key];
    return typeof text === "function" ? text(...values) : text;
  }

  // A text of the hub, in this language.
  of(both) {
    return both?.[this.language] ?? "";
  }

  number(value) {
    return value.toLocaleString(this.language);
  }

  // Minor units of ISO 4217.
  money(minor, currency) {
    const format = new Intl.NumberFormat(this.language, { style: "currency", currency });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  }

  clock(ms) {
    return new Date(ms).toLocaleTimeString(this.language, { hour: "2-digit", minute: "2-digit" });
  }

  day(ms) {
    return new Date(ms).toLocaleDateString(this.language, { month: "long", day: "numeric", weekday: "short" });
  }

  reading(name, value) {
    const round = (number, digits) => number.toLocaleString(this.language, { maximumFractionDigits: digits });
    const shown = {
      position: () => `${value.latitude_deg.toFixed(4)}°, ${value.longitude_deg.toFixed(4)}°`,
      speed_m_s: () => `${round(value, 1)} m/s`,
      acceleration_m_s2: () => `${round(value, 1)} m/s²`,
      heart_rate_per_min: () => `${round(value, 0)} /min`,
    };
    return `${this.say("readings")[name]}: ${shown[name]()}`;
  }
}

export const LANGUAGES = Object.keys(WORDS);
export const keysOf = (language) => Object.keys(WORDS[language]);
