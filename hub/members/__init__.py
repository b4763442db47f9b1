"""Members: registration on a web page, sign-in that lasts, consent, the member code, and the terminal's WebSocket (row A2).

The member code. A member has one token: 26 characters of base32 (A–Z, 2–7: 130 bits). Her QR code holds
`MEMBER:` + token (alphanumeric mode, upper case). A reader that accepts it reports a sighting with detector `member_code`
and beacon `member:` + token, and `customer_beacon` knows whose that is. The token opens nothing: neither a session nor a gate.

Under /member/api (JSON in, JSON out; `Origin` must be the hub's own; every error is
`{"errors": [{"field": …, "ja": …, "en": …}]}`):

    POST   register          a new member: `desk.Desk.register`; sets the session's cookie
    POST   sign-in           {"email" or "phone"}: begins a claim; the same answer whether that is a member or not
    GET    claim             {"state": waiting, confirmed, none}: when confirmed, sets the session's cookie
    POST   claim             begins a claim of a signed-in terminal: an earlier membership of the same person
    POST   claim/code        {"code"}: the one-time code from the e-mail
    GET    me                who is signed in, her code as text and picture, consents, the store and its circle; 401 if nobody
    POST   consents          {"purpose", "given", "wording"}: one purpose
    GET    qr.svg?text=…     any code as a picture, for coupons
    POST   sign-out

/member/ws is the terminal's connection: text frames `{"topic": …, "message": …}` of the contract, both ways. A frame that
does not fit is answered with `{"refused": reason}`. On connection the hub says what is open (`hub.core.Hub.on_terminal`).
"""
