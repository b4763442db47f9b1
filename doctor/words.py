"""Every sentence of the doctor, in English and Japanese: what is so, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["ja", "en"]


@dataclass(frozen=True, slots=True)
class Words:
    """`do_…`: what to do; empty where nothing is to be done. `{…}` is filled in."""

    en: str
    ja: str
    do_en: str = ""
    do_ja: str = ""


_PORT_EN = "Check cable and power; `ls -l /dev/serial/by-id` shows what is plugged in. An agent that runs holds its ports: stop it first"
_PORT_JA = (
    "ケーブルと電源を確認。`ls -l /dev/serial/by-id` で接続を確認。エージェントが動作中ならポートを占有するので先に停止"
)

WORDS: Mapping[str, Words] = {
    # --- the machine
    "clock_good": Words("the clock is synchronised", "時計は同期しています"),
    "clock_bad": Words(
        "the clock is not synchronised",
        "時計が同期していません",
        "Set up NTP (`timedatectl set-ntp true`); until the hub is heard, a lane cannot judge the age of codes",
        "NTP を設定してください(`timedatectl set-ntp true`)。ハブと通信するまで退店コードの期限を判断できません",
    ),
    "clock_unknown": Words(
        "the system does not tell whether its clock is synchronised", "時計の同期状態を取得できません"
    ),
    "disk_good": Words(
        "{free_mb:,} MB free; a synced write takes {ms:.1f} ms", "空き {free_mb:,} MB、同期書き込み {ms:.1f} ms"
    ),
    "disk_slow": Words(
        "a synced write takes {ms:.0f} ms; {free_mb:,} MB free",
        "同期書き込みに {ms:.0f} ms かかります(空き {free_mb:,} MB)",
        "Each scan waits for several of them: use a better card or an SSD",
        "読み取りのたびに数回待たされます。高速なカードか SSD を使用してください",
    ),
    "disk_small": Words(
        "only {free_mb:,} MB free",
        "空きが {free_mb:,} MB しかありません",
        "Long absences of the hub need 256 MB",
        "ハブが長く不在になると 256 MB 必要です",
    ),
    "disk_bad": Words(
        "nothing can be written in {folder}: {why}",
        "{folder} に書き込めません: {why}",
        "Give the folder to the user that runs the agent",
        "エージェントの実行ユーザーに権限を与えてください",
    ),
    # --- broker and hub
    "broker_good": Words(
        "connected to {where} as {user} in {ms:.0f} ms", "{where} に {user} として接続しました({ms:.0f} ms)"
    ),
    "broker_bad": Words(
        "{why}",
        "接続できません: {why}",
        "Check [mqtt], the network and the broker",
        "[mqtt] の設定、ネットワーク、ブローカーを確認してください",
    ),
    "hub_good": Words(
        "the hub answers in {ms:.0f} ms; clocks differ by {apart_s:.1f} s",
        "ハブが {ms:.0f} ms で応答しました(時計の差 {apart_s:.1f} 秒)",
    ),
    "hub_clock": Words(
        "the hub answers in {ms:.0f} ms, and its clock differs by {apart_s:.0f} s",
        "ハブは {ms:.0f} ms で応答しましたが、時計が {apart_s:.0f} 秒ずれています",
        "Set up NTP on both machines",
        "両方の機器で NTP を設定してください",
    ),
    "hub_silent": Words(
        "the hub does not answer; the broker says that it is {state}",
        "ハブが応答しません(状態: {state})",
        "Start the hub; with another store's name in the settings it never answers",
        "ハブを起動してください。設定の店舗 ID が違う場合も応答しません",
    ),
    "keys_good": Words("public keys to check exit codes with: {count}", "退店コードの公開鍵 {count} 個を受信しました"),
    "keys_missing": Words(
        "no public keys of exit codes",
        "退店コードの公開鍵がありません",
        "The hub publishes them when it starts; without them each code is refused",
        "ハブの起動時に配信されます。鍵がないとすべてのコードが拒否されます",
    ),
    # --- beacons
    "radio_good": Words(
        "{beacons} beacons in {adverts} advertisements within {seconds:g} s, the strongest at {best_dbm} dBm",
        "{seconds:g} 秒間に {beacons} 個のビーコンを受信({adverts} 回、最大 {best_dbm} dBm)",
    ),
    "radio_quiet": Words(
        "no beacon heard within {seconds:g} s",
        "{seconds:g} 秒間ビーコンを受信しませんでした",
        "Hold one beside the antenna; without one in the store this is as it should be",
        "アンテナの近くにビーコンを置いて試してください。店内に一つもなければ正常です",
    ),
    "radio_no_heartbeat": Words(
        "beacons are heard, but not the heartbeat beacon {heartbeat}",
        "常設ビーコン {heartbeat} を受信できません",
        "Check its battery and its ID in [beacons] heartbeat",
        "電池と [beacons] heartbeat の ID を確認してください",
    ),
    "radio_bad": Words(
        "{why}",
        "スキャンできません: {why}",
        "`systemctl status bluetooth`; `bluetoothctl show`",
        "`systemctl status bluetooth` と `bluetoothctl show` で確認してください",
    ),
    # --- devices
    "device_good": Words("it is there", "接続しています"),
    "reader_there": Words(
        "its port is open (a reader cannot be asked)", "ポートを開きました(読み取り機は問い合わせに応答しません)"
    ),
    "device_bad": Words("{why}", "応答しません: {why}", _PORT_EN, _PORT_JA),
    "device_silent": Words(
        "no word of it within {seconds:g} s", "{seconds:g} 秒以内に応答がありません", _PORT_EN, _PORT_JA
    ),
    "device_flags": Words("it says: {flags}", "状態: {flags}", "See to it: {flags}", "確認してください: {flags}"),
    # --- the loop of a lane
    "loop_ask_read": Words(
        "Hold the slip that comes out over the reader.", "出てきた用紙の QR コードを読み取り機にかざしてください。"
    ),
    "loop_ask_read_shown": Words("Hold this code over the reader.", "このコードを読み取り機にかざしてください。"),
    "loop_ask_type": Words(
        "Type {digits} on the keypad, then its enter key.", "キーパッドで {digits} と入力し、確定キーを押してください。"
    ),
    "loop_ask_pass": Words(
        "The gate is open: walk through, out of the store.", "ゲートが開きました。店外へ向かって通り抜けてください。"
    ),
    "print_good": Words(
        "test slip printed, confirmed in {ms:.0f} ms ({evidence})",
        "テスト用紙を印刷し、{ms:.0f} ms で確認しました({evidence})",
    ),
    "print_no_counter": Words(
        "test slip printed in {ms:.0f} ms, but its cut counter {number} did not count it",
        "印刷しました({ms:.0f} ms)が、カッターのカウンター {number} が増えません",
        "Set cut_counter = 50 or 178, whichever counts; a power cut during a print can't be settled without it",
        "cut_counter を 50 か 178 のうち増える方にしてください。印刷中の停電時に印刷済みか判断できません",
    ),
    "print_bad": Words(
        "no confirmed print: {why}",
        "印刷を確認できません: {why}",
        'Paper in, cover closed, baud rate as set in the printer; older printers want completion = "gs_r"',
        '用紙、カバー、通信速度を確認してください。古い機種は completion = "gs_r" にしてください',
    ),
    "read_good": Words(
        "read back after {s:.1f} s, all of {count} characters", "{s:.1f} 秒後に {count} 文字すべてを読み取りました"
    ),
    "read_other": Words(
        "it read {text!r} in place of the test code",
        "テストコードではなく {text!r} を読み取りました",
        "Was it another code? Else check framing, prefix and suffix, and that codes are sent as they are, in UTF-8",
        "別のコードでなければ、framing、前後の付加文字、UTF-8 でそのまま送る設定かを確認してください",
    ),
    "read_nothing": Words(
        "nothing was read within {seconds:g} s{noise}",
        "{seconds:g} 秒以内に読み取れませんでした{noise}",
        "Does the reader beep? Then baud rate, framing or the direction of the interface (RS-232, USB-COM) are wrong",
        "読み取り音が鳴る場合は通信速度、framing、インターフェース(RS-232 / USB-COM)の設定が違います",
    ),
    "type_good": Words("{digits} was typed", "{digits} が入力されました"),
    "type_other": Words(
        "it sent {typed} in place of {digits}",
        "{digits} ではなく {typed} が入力されました",
        "Try again; keys that send something else are counted at the device",
        "もう一度試してください",
    ),
    "type_nothing": Words(
        "nothing was typed within {seconds:g} s",
        "{seconds:g} 秒以内に入力がありませんでした",
        "Baud rate as set in the keypad? Is its enter key # or E?",
        "通信速度と確定キーを確認してください",
    ),
    "gate_good": Words("its flaps stood open {ms:.0f} ms after the order", "指示から {ms:.0f} ms で開きました"),
    "loop_good": Words(
        "its flaps stood open {scan_ms:.0f} ms after the scan, {ms:.0f} ms after the order",
        "読み取りから {scan_ms:.0f} ms、指示から {ms:.0f} ms で開きました",
    ),
    "gate_refused": Words(
        "it does not open: {why}",
        "開きません: {why}",
        "Its fault code, the emergency input and its mains are the first to look at",
        "故障コード、非常入力、電源を確認してください",
    ),
    "gate_stuck": Words(
        "it took the order and did not open within {seconds:g} s",
        "指示を受け付けましたが {seconds:g} 秒以内に開きません",
        "The flaps, or what is in their way",
        "フラップと障害物を確認してください",
    ),
    "pass_good": Words(
        "somebody passed towards the exit, {s:.1f} s after it opened",
        "開いてから {s:.1f} 秒後に出口方向の通過を検知しました",
    ),
    "pass_wrong_way": Words(
        "the passage counted as an entry",
        "入口方向の通過として数えられました",
        "Exchange the two passage sensors, or their wires: customers who leave would not be seen",
        "通過センサーの向きか配線を入れ替えてください。退店が検知されません",
    ),
    "pass_nobody": Words(
        "no passage was seen",
        "通過を検知できませんでした",
        "Did somebody walk through? Then the passage sensors, or their wires",
        "通り抜けた場合は通過センサーか配線を確認してください",
    ),
    "close_good": Words("it closed {s:.1f} s later", "{s:.1f} 秒後に閉まりました"),
    "close_late": Words(
        "it is still open {seconds:g} s after the passage",
        "通過から {seconds:g} 秒後も開いたままです",
        "What stands between the flaps? Is the fire input on?",
        "フラップの間の障害物と火災入力を確認してください",
    ),
    "skipped": Words("not tried: {why}", "未実施: {why}"),
    # --- reasons
    "no_hands": Words("without hands", "操作なしの指定"),
    "not_there": Words("the device is not there", "機器が接続されていません"),
}

LEVELS: Mapping[str, tuple[str, str]] = {
    "ok": ("good", "良好"), "skipped": ("not tried", "未実施"), "warning": ("look at it", "要確認"), "error": ("broken", "異常"),
}  # fmt: skip

FLAGS: Mapping[str, tuple[str, str]] = {
    "cover_open": ("cover open", "カバーが開いています"),
    "rec_empty": ("no paper", "用紙がありません"),
    "rec_near_end": ("paper soon at its end", "用紙が残りわずかです"),
    "printer_offline": ("offline", "オフライン"),
    "cutter_error": ("cutter jammed", "カッターエラー"),
    "recoverable_error": ("error", "エラー"),
    "fatal_error": ("fatal error", "致命的なエラー"),
    "gate_open": ("the gate is open", "ゲートが開いています"),
    "gate_blocked": ("something stands in the gate", "ゲートに障害物があります"),
    "gate_malfunction": ("fault of the gate", "ゲートの故障"),
    "fire_alarm": ("fire input on", "火災入力がオン"),
    "mains_lost": ("no mains power", "電源が切れています"),
    "no_answer": ("no answer", "応答なし"),
}  # fmt: skip


def say(key: str, values: Mapping[str, Any], language: Language) -> str:
    """The sentence. Raises KeyError for a key that is not there or a value that is missing."""
    words = WORDS[key]
    return (words.ja if language == "ja" else words.en).format(**_spoken(values, language))


def advice(key: str, values: Mapping[str, Any], language: Language) -> str:
    """What to do about it, or ""."""
    words = WORDS[key]
    return (words.do_ja if language == "ja" else words.do_en).format(**_spoken(values, language))


def _spoken(values: Mapping[str, Any], language: Language) -> dict[str, Any]:
    spoken = dict(values)
    if "flags" in spoken:
        known = [FLAGS.get(flag, (flag, flag)) for flag in spoken["flags"]]
        spoken["flags"] = ("、" if language == "ja" else ", ").join(pair[language == "ja"] for pair in known)
    why: Any = spoken.get("why", "")
    if why in WORDS:
        spoken["why"] = say(why, {}, language)
    elif why in FLAGS:
        spoken["why"] = FLAGS[why][language == "ja"]
    return spoken
