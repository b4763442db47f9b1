// Registration, and the way back to a membership that is there already: what is typed, sent, waited for.

import { api, Trouble } from "./api.js";
import { keep } from "./store.js";

const ASK_AGAIN_MS = 3000;
export const NOTHING = { busy: false, trouble: null, problems: [] };

// `app` is the page's state; `enter(me)` shows who is signed in; `agreed(consents)` asks the browser for what they need.
export class Entrance {
  constructor({ app, view, signals, enter, draw, agreed }) {
    Object.assign(this, { app, view, signals, enter, draw, agreed });
  }

  register() {
    return this._submit(async () => {
      const consents = this.view.consents();
      this.signals.enableSound();
      const { claim } = await api.register({ ...this.view.form(), language: this.app.words.language, consents });
      // For who was a member before. The store answers the same whether it knows her or not, and so does this page.
      const pending = { ...claim, until: Date.now() + claim.minutes * 60_000 };
      this.app.pending = pending;
      this.enter(await api.me());
      keep({ pending });
      this.agreed(consents);
    });
  }

  ask() {
    return this._submit(async () => {
      const contact = document.getElementById("contact").value.trim();
      this._begin((await api.signIn(contact.includes("@") ? { email: contact } : { phone: contact })).claim);
    });
  }

  // An earlier membership comes to this terminal: by the claim that registration began, while it holds.
  earlier() {
    const { pending } = this.app;
    if (pending !== null && pending.until > Date.now()) {
      this._begin(pending);
      this.draw();
      return null;
    }
    return this._submit(async () => this._begin((await api.beginClaim()).claim));
  }

  sendCode() {
    return this._submit(async () => {
      await api.sendCode(document.getElementById("code").value);
      await this._confirmed();
    });
  }

  back() {
    Object.assign(this.app, { claim: null, form: NOTHING, view: this.app.me === null ? "sign-in" : "home" });
    this.draw();
  }

  _begin(claim) {
    Object.assign(this.app, { claim, view: "claim", form: NOTHING });
    document.getElementById("code").value = "";
    this._watch(claim);
  }

  _watch(claim) {
    setTimeout(async () => {
      if (this.app.claim !== claim) return;
      const { state } = await api.claimState().catch(() => ({ state: "waiting" }));
      if (this.app.claim !== claim) return;
      if (state === "confirmed") await this._confirmed();
      else if (state === "none") this.back();
      else this._watch(claim);
    }, ASK_AGAIN_MS);
  }

  async _confirmed() {
    this.app.pending = null;
    keep({ pending: undefined });
    this.enter(await api.me());
    this.draw();
  }

  async _submit(send) {
    const { app } = this;
    app.form = { ...NOTHING, busy: true };
    this.draw();
    try {
      await send();
      app.form = NOTHING;
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      const general = trouble.problems.find(({ field }) => field === "");
      const words = general ? app.words.of(general) : trouble.problems.length > 0 ? null : app.words.say("failed");
      app.form = { busy: false, problems: trouble.problems, trouble: words };
    }
    this.draw();
    if (app.form.problems.length > 0) this.view.problems(app.words, app.form.problems, document.getElementById("register"))?.focus();
  }
}
