// Tells Tenfold what a visit led to: tenfoldAds.convert({event: "order-17", value: 49.90}).
// The click that led here comes in the address, and is remembered by this site for the visit's later pages.
const KEPT = "tf_click";
const clicked = new URLSearchParams(location.search).get("tf_click");
try {
  if (clicked) localStorage.setItem(KEPT, JSON.stringify({ click: clicked, at: Date.now() }));
} catch (_) {
  // A browser that keeps nothing still tells what happens on this page.
}

function lastClick() {
  if (clicked) return clicked;
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) || "null");
    return kept && Date.now() - kept.at < 90 * 86400e3 ? kept.click : "";
  } catch (_) {
    return "";
  }
}

function convert({ event, value = 0, at = Date.now() / 1000 }) {
  if (!event) throw new Error("tenfoldAds.convert needs an event: the number of the order, or any name told once");
  const told = { event: String(event), click: lastClick(), value_micro: Math.round(value * 1e6), at };
  // Without credentials: nothing of the person is sent but the click.
  return fetch(TAG.to + "?key=" + encodeURIComponent(TAG.key), {
    method: "POST",
    mode: "cors",
    credentials: "omit",
    keepalive: true,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ conversions: [told] }),
  });
}

window.tenfoldAds = { convert };
