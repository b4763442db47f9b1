// Everything the page says to a manager, in both languages. What rules decided stands in the words of the rules' files.

const WORDS = {
  ja: {
    title: "店長の画面", other: "EN", key: "店長のキー", enter: "開く", leave: "終了", refused: "このキーでは開けません。",
    away: "店舗システムに接続できません。自動で接続し直しています。", ok: "正常", trouble: "異常があります",
    database: "データベース", broker: "ブローカー", rules: "ルール",
    visits: "ご来店", good_customers: "お得意様", here_now: "店内", requests: "お願い", requests_answered: "対応", requests_expired: "時間切れ",
    sales: "お会計", sold_minor: "売上", there: "接続中", gone: "未接続", waiting: (n) => `送信待ち ${n}`, device_off: (d) => `${d} 使用不可`,
    lane_calls: "出口の呼び出し", lane_incidents: "出口の異常通過", lanes: "出口",
    call_help: "お客様の呼び出し", call_gate: "ゲート", call_printer: "プリンター", call_no_decision: "本部応答なし", call_stuck: "ゲート停止", call_out_of_order: "リーダー", call_agent_away: "装置応答なし",
    tailgating: "後続者の通過", wrong_way: "逆方向の通過", both_ways: "両方向同時", obstacle: "ゲート内の障害物", forced: "閉じたゲートの通過", code_twice: "同じコードで二度通過",
    no_agents: "エージェントはまだ接続していません。",
    search: "お客様の名前・ID", none: "該当するご来店はありません。", hint: "左のご来店を選ぶと、何がなぜ決まったかを表示します。",
    good: "お得意様", here: "店内", why: "なぜ", service_request: "接客", special_treatment: "特別対応", coupon: "クーポン",
    offered: "依頼中", accepted: "対応中", declined: "辞退", expired: "時間切れ", closed: "完了", served: "対応済", not_found: "不在", bought: "ご購入",
    same: (n) => `同様 ${n} 件`, decided: "接客の判断", coupons: "クーポンの判断", no_trace: "この来店の記録はもうありません。",
  },
  en: {
    title: "Manager", other: "日本語", key: "Manager's key", enter: "Open", leave: "Leave", refused: "This key does not open it.",
    away: "The hub does not answer. Trying again by itself.", ok: "All well", trouble: "Something is wrong",
    database: "Database", broker: "Broker", rules: "Rules",
    visits: "Visits", good_customers: "Good customers", here_now: "Here now", requests: "Requests", requests_answered: "Answered", requests_expired: "Expired",
    sales: "Sales", sold_minor: "Sold", there: "connected", gone: "NOT CONNECTED", waiting: (n) => `${n} to be sent`, device_off: (d) => `${d} can't be used`,
    lane_calls: "Calls of lanes", lane_incidents: "Incidents at lanes", lanes: "Lanes",
    call_help: "help wanted", call_gate: "gate", call_printer: "printer", call_no_decision: "hub silent", call_stuck: "gate fell silent", call_out_of_order: "reader", call_agent_away: "computer silent",
    tailgating: "followed through", wrong_way: "wrong way", both_ways: "both ways at once", obstacle: "something in the gate", forced: "through the closed gate", code_twice: "one code used twice",
    no_agents: "No agent has connected yet.",
    search: "Customer's name or ID", none: "No visit like that.", hint: "Choose a visit to see what was decided, and why.",
    good: "good customer", here: "here", why: "Why", service_request: "request", special_treatment: "treatment", coupon: "coupon",
    offered: "offered", accepted: "held", declined: "declined", expired: "expired", closed: "over", served: "served", not_found: "not found", bought: "bought",
    same: (n) => `and ${n} like it`, decided: "Service?", coupons: "Coupon?", no_trace: "The trace of this visit is gone.",
  },
};

export class Words {
  constructor(language) {
    this.language = WORDS[language] ? language : "ja";
  }

  say(key, ...values) {
    const found = WORDS[this.language][key];
    return typeof found === "function" ? found(...values) : found ?? key;
  }

  money(minor, currency) {
    const format = new Intl.NumberFormat(this.language, { style: "currency", currency });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  }

  count(number) {
    return new Intl.NumberFormat(this.language).format(number);
  }

  // A time of day in the store's own zone.
  time(text, timeZone) {
    return new Intl.DateTimeFormat(this.language, { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone }).format(new Date(text));
  }

  // How long a hop took.
  took(ms) {
    return ms < 1000 ? `+${ms.toFixed(1)} ms` : `+${(ms / 1000).toFixed(1)} s`;
  }

  get next() {
    return this.language === "ja" ? "en" : "ja";
  }
}
