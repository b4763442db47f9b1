"""Letters with one-time codes, by SMTP. Nothing here touches the database; a letter that can't be sent is counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import structlog
from aiosmtplib import SMTPException

from config.member_settings import MailSettings
from config.words import Words
from hub.mail import POLICY, deliver, domain_of, mailbox, one_line
from hub.members.claims import Letter

log = structlog.get_logger()

AT_ONCE_MAX = 20
"""Letters on their way. Beyond, they are not sent and counted: whoever waits asks again."""

_SUBJECT = {"ja": "{store} 会員コード {code}", "en": "{store}: your code {code}"}
_BODY = {
    "ja": """{store}の会員登録が、このメールアドレスで申し込まれました。

ご本人の場合は、端末の画面に次のコードをご入力ください({minutes}分間有効です)。

    {code}

お心あたりがない場合は、何もする必要はありません。どなたにもコードをお伝えにならないでください。
""",
    "en": """Somebody asked {store} to sign in as a member with this e-mail address.

If it was you, please enter this code on your device. It holds for {minutes} minutes.

    {code}

If it was not you, there is nothing to do. Please tell nobody the code.
""",
}


class Mailer:
    """Sends in the background. `password` is that of `settings.username`."""

    def __init__(self, settings: MailSettings | None, password: str, store: Words, counters: Counter[str]) -> None:
        self._settings, self._password, self._store, self._counters = settings, password, store, counters
        self._going: set[asyncio.Task[None]] = set()

    def post(self, letter: Letter) -> None:
        """Send a letter when there is time; never raises."""
        if self._settings is None or len(self._going) >= AT_ONCE_MAX:
            self._counters["member_letters_unsent"] += 1
            return
        task = asyncio.get_running_loop().create_task(self._send(self._settings, letter), name="letter")
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def _send(self, settings: MailSettings, letter: Letter) -> None:
        try:
            await deliver(settings, self._password, self.message(settings, letter))
            self._counters["member_letters_sent"] += 1
        except (OSError, SMTPException, ValueError) as error:  # an address that is none is such a ValueError
            self._counters["member_letters_unsent"] += 1
            log.error(
                "a letter could not be sent", server=f"{settings.host}:{settings.port}", error=type(error).__name__
            )

    def message(self, settings: MailSettings, letter: Letter) -> EmailMessage:
        """The letter in the language of the record. Raises NoAddress."""
        language = letter.language if letter.language in _BODY else "ja"
        code = f"{letter.code[:4]} {letter.code[4:]}"
        store = one_line(getattr(self._store, language))
        words = {"store": store, "code": code, "minutes": letter.minutes}
        made = EmailMessage(policy=POLICY)
        made["From"], made["To"] = mailbox(store, settings.sender), mailbox("", letter.to)
        made["Subject"] = _SUBJECT[language].format(**words)
        made["Date"], made["Message-ID"] = formatdate(), make_msgid(domain=domain_of(settings.sender))
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(_BODY[language].format(**words))
        return made
