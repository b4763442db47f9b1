"""The result as one page of HTML, to print, sign and keep with the store's papers. Both languages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from doctor.finding import Finding, Level, worst
from doctor.words import LEVELS, advice, say

_STYLE = """
body { font: 11pt/1.45 "IPAGothic", "Noto Sans JP", sans-serif; max-width: 180mm; margin: 12mm auto; color: #111; background: #fff; }
h1 { font-size: 17pt; margin: 0 0 2mm; } dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 5mm; margin: 0 0 5mm; }
dt { color: #555; } dd { margin: 0; } table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 1.5mm 2mm; border-bottom: 0.3mm solid #bbb; }
td small { display: block; color: #333; } td.level { white-space: nowrap; font-weight: bold; }
.error td.level { color: #a00; } .warning td.level { color: #850; } .ok td.level { color: #060; } .skipped td.level { color: #555; }
.all { font-size: 14pt; font-weight: bold; border: 0.6mm solid; padding: 2mm 4mm; display: inline-block; }
.sign { display: grid; grid-template-columns: 1fr 1fr; gap: 12mm; margin-top: 18mm; } .sign div { border-top: 0.3mm solid #111; padding-top: 1mm; }
"""


def sheet(findings: Sequence[Finding], *, store: str, agent: str, now: datetime, version: str) -> str:
    """A whole document; it needs nothing from anywhere else."""
    level = worst(findings)
    head = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in (("店舗 / Store", store), ("機器 / Agent", agent), ("日時 / Time", f"{now:%Y-%m-%d %H:%M %Z}"),
                            ("プログラム / Program", f"instore {version}"))
    )  # fmt: skip
    verdict = {Level.ERROR: "要修理 / Not ready", Level.WARNING: "使用可(要確認あり) / Ready, with remarks"}.get(
        level, "使用可 / Ready"
    )
    return f"""<!doctype html>
<html lang="ja"><meta charset="utf-8"><title>instore: {escape(store)} {escape(agent)}</title><style>{_STYLE}</style>
<h1>動作確認書 / Acceptance sheet</h1><dl>{head}</dl><p class="all {level}">{verdict}</p>
<table><thead><tr><th>対象 / Part</th><th>結果 / Result</th><th>内容 / Found</th></tr></thead>
<tbody>{"".join(map(_row, findings))}</tbody></table>
<div class="sign"><div>設置者 / Installed by</div><div>店舗責任者 / For the store</div></div></html>
"""


def _row(finding: Finding) -> str:
    english, japanese = LEVELS[finding.level]
    texts = "".join(f"<div>{escape(say(finding.key, finding.values, language))}</div>" for language in ("ja", "en"))
    todo = [advice(finding.key, finding.values, language) for language in ("ja", "en")]
    if any(todo) and finding.level is not Level.OK:
        texts += "".join(f"<small>→ {escape(text)}</small>" for text in todo)
    level = f'<td class="level">{japanese}<br>{english}</td>'
    return f'<tr class="{finding.level}"><td>{escape(finding.about)}</td>{level}<td>{texts}</td></tr>'
