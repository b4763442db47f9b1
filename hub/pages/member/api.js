// The hub's /member/api. Every failure is a Trouble with the problems of each field, in both languages.

export class Trouble extends Error {
  // status 0: nobody answered. `cart`: her list as it is, where it was about that.
  constructor(status, problems, cart) {
    super(`${status}: ${problems.map((problem) => problem.en).join("; ")}`);
    this.status = status;
    this.problems = problems;
    this.cart = cart;
  }

  get away() {
    return this.status === 0 || this.status >= 500;
  }
}

async function call(method, path, body) {
  const options = { method, cache: "no-store", credentials: "same-origin" };
  if (body !== undefined) Object.assign(options, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  let answer;
  try {
    answer = await fetch(`./api/${path}`, options);
  } catch {
    throw new Trouble(0, []);
  }
  const kind = answer.headers.get("content-type") ?? "";
  const read = kind.startsWith("application/json") ? await answer.json().catch(() => null) : await answer.text();
  if (!answer.ok) throw new Trouble(answer.status, Array.isArray(read?.errors) ? read.errors : [], read?.cart);
  return read;
}

export const api = {
  about: () => call("GET", "about"),
  register: (form) => call("POST", "register", form),
  signIn: (contact) => call("POST", "sign-in", contact),
  claimState: () => call("GET", "claim"),
  beginClaim: () => call("POST", "claim", {}),
  sendCode: (code) => call("POST", "claim/code", { code }),
  me: () => call("GET", "me"),
  consent: (choice) => call("POST", "consents", choice),
  picture: (text) => call("GET", `qr.svg?text=${encodeURIComponent(text)}`),
  cart: () => call("GET", "cart"),
  shop: (what, fields) => call("POST", `cart/${what}`, fields),
  exitCode: () => call("GET", "cart/exit"),
  device: () => call("GET", "cart/device"),
  claimCoupon: (code) => call("POST", "coupons/claim", { code }),
  pushKey: () => call("GET", "push"),
  push: (subscription) => call("POST", "push", subscription),
  noPush: (endpoint) => call("DELETE", "push", { endpoint }),
  signOut: () => call("POST", "sign-out", {}),
};
