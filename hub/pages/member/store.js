// What this device keeps: who is signed in, her code, her coupons, the language. Never a reading.

const KEY = "instore.member";

export function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

// Says whether it was kept: in private browsing it may not be.
export function keep(changes) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...kept(), ...changes }));
    return true;
  } catch {
    return false;
  }
}

// All but the language.
export function forget() {
  const { language } = kept();
  try {
    localStorage.removeItem(KEY);
  } catch {
    return;
  }
  keep({ language });
}
