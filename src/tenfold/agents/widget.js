/* A business's chat on its own pages. One file: it needs `script-src` and `connect-src` of the pool, nothing inline.
   The server puts WIDGET = {base, business, name, key} before this. */
(() => {
  "use strict";
  if (document.querySelector("tenfold-agent")) return;
  const own = document.currentScript;
  const customerToken = (own && own.dataset.customerToken) || "";
  const STORE = `tenfold-agent:${WIDGET.business}`;
  const POLL_MS = 3000;
  const CSS = `
    :host { all: initial; }
    * { box-sizing: border-box; font: 15px/1.45 system-ui, sans-serif; }
    button { cursor: pointer; }
    button:focus-visible, textarea:focus-visible, a:focus-visible { outline: 3px solid #1b5fbf; outline-offset: 2px; }
    .open { position: fixed; right: 16px; bottom: 16px; z-index: 2147483000; border: 0; border-radius: 24px;
      padding: 12px 18px; background: #14417f; color: #fff; box-shadow: 0 2px 10px #0005; }
    .panel { position: fixed; right: 16px; bottom: 16px; z-index: 2147483000; width: 380px; height: min(600px, calc(100vh - 32px));
      display: flex; flex-direction: column; background: #fff; color: #1a1a1a; border: 1px solid #8a8f98; border-radius: 12px;
      box-shadow: 0 6px 30px #0004; overflow: hidden; }
    [hidden] { display: none !important; }
    .head { display: flex; align-items: center; gap: 8px; padding: 8px 8px 8px 14px; background: #14417f; color: #fff; }
    .head h2 { flex: 1; margin: 0; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .head button { border: 0; background: none; color: #fff; width: 44px; height: 44px; font-size: 20px; }
    .log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 12px; }
    .turn { max-width: 88%; margin: 0 0 10px; padding: 8px 12px; border-radius: 10px; overflow-wrap: anywhere;
      white-space: pre-wrap; }
    .customer { margin-left: auto; background: #dbe7f8; }
    .agent, .human { background: #f0f1f3; }
    .human { border-left: 4px solid #14417f; }
    .who { display: block; font-size: 12px; color: #4a4f57; }
    .sources { margin: 6px 0 0; padding: 0; list-style: none; font-size: 13px; }
    .sources a { color: #14417f; font-size: 13px; }
    .sources li { font-size: 13px; color: #4a4f57; }
    .choices { display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 10px; }
    .choices button { min-height: 44px; padding: 6px 14px; border: 1px solid #14417f; border-radius: 20px; background: #fff;
      color: #14417f; }
    .said { padding: 0 12px; min-height: 20px; font-size: 13px; color: #4a4f57; }
    form { display: flex; gap: 8px; padding: 8px 12px 12px; }
    textarea { flex: 1; min-width: 0; height: 44px; max-height: 120px; padding: 10px; border: 1px solid #6b717b;
      border-radius: 8px; resize: none; color: #1a1a1a; background: #fff; font-size: 16px; }
    form button { min-width: 64px; height: 44px; border: 0; border-radius: 8px; background: #14417f; color: #fff; }
    form button[disabled] { background: #6b717b; }
    @media (max-width: 480px) {
      .panel { inset: 0; width: auto; height: auto; border: 0; border-radius: 0; }
    }
    @media (prefers-reduced-motion: no-preference) { .log { scroll-behavior: smooth; } }
  `;

  const kept = read();
  let seen = 0, busy = false, held = false, timer = 0, asked = false;

  const host = document.createElement("tenfold-agent");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];

  const opener = make("button", { class: "open", type: "button", "aria-expanded": "false" }, `Chat with ${WIDGET.name}`);
  const panel = make("section", { class: "panel", role: "dialog", "aria-label": `Chat with ${WIDGET.name}` });
  panel.hidden = true;
  const head = make("div", { class: "head" });
  const close = make("button", { type: "button", "aria-label": "Close the chat" }, "\u00d7");
  head.append(make("h2", {}, WIDGET.name), close);
  const log = make("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": "Messages", tabindex: "0" });
  const said = make("div", { class: "said", role: "status" });
  const form = make("form", {});
  const box = make("textarea", { "aria-label": "Your message", placeholder: "Your message", maxlength: "4000", rows: "1" });
  const send = make("button", { type: "submit" }, "Send");
  form.append(box, send);
  panel.append(head, log, said, form);
  root.append(opener, panel);

  opener.addEventListener("click", open);
  close.addEventListener("click", shut);
  panel.addEventListener("keydown", (event) => { if (event.key === "Escape") shut(); });
  form.addEventListener("submit", (event) => { event.preventDefault(); say(box.value); });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); say(box.value); }
  });
  document.addEventListener("visibilitychange", plan);
  if (document.body) document.body.append(host);
  else document.addEventListener("DOMContentLoaded", () => document.body.append(host));

  function read() {
    let found = null;
    try { found = JSON.parse(localStorage.getItem(STORE) || "null"); } catch (error) { console.warn("tenfold:", error); }
    if (found && /^[A-Za-z0-9_-]{8,128}$/.test(found.thread)) return { pending: null, ...found };
    return { thread: secret(), begun: false, pending: null };
  }

  function keep() {
    try { localStorage.setItem(STORE, JSON.stringify(kept)); } catch (error) { console.warn("tenfold:", error); }
  }

  function secret() {
    const bytes = crypto.getRandomValues(new Uint8Array(24));
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
  }

  function make(tag, attributes, text) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  async function ask(path, body) {
    const thread = encodeURIComponent(kept.thread);
    const query = path.includes("?") ? "&" : "?";
    const url = `${WIDGET.base}/${encodeURIComponent(WIDGET.business)}/threads/${thread}${path}${query}key=${WIDGET.key}`;
    const options = body === undefined ? {} : {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(url, { ...options, credentials: "omit" });
    const found = await answer.json();
    if (!answer.ok) throw Object.assign(new Error((found.error && found.error.message) || answer.status),
      { status: answer.status });
    return found;
  }

  async function open() {
    panel.hidden = false;
    opener.hidden = true;
    opener.setAttribute("aria-expanded", "true");
    box.focus();
    if (kept.begun && seen === 0) await look();
    if (kept.pending) await deliver();
    plan();
  }

  function shut() {
    panel.hidden = true;
    opener.hidden = false;
    opener.setAttribute("aria-expanded", "false");
    opener.focus();
    plan();
  }

  async function say(text) {
    text = text.trim();
    if (!text || busy || kept.pending) return;
    box.value = "";
    clearChoices();
    kept.pending = { id: secret(), text };
    keep();
    show({ role: "customer", text });
    await deliver();
  }

  /* Sent again under its id until it is taken: it is taken once, whatever breaks off in between. */
  async function deliver() {
    busy = true;
    send.disabled = true;
    for (let pause = 1000; kept.pending; pause = Math.min(30000, 2 * pause)) {
      tell("…");
      try {
        const found = await ask("/messages", kept.pending);
        if (customerToken && !asked) { asked = true; await ask("/identity", { token: customerToken }).catch(noted); }
        if (found.state === "waiting") { pause = 1000; throw Object.assign(new Error("still thinking"), { status: 202 }); }
        kept.pending = null;
        kept.begun = true;
        keep();
        tell("");
        seen = Math.max(seen, found.number);
        held = found.state === "with_human" || (found.reply && found.reply.said.type === "handoff");
        if (found.reply) take(found.reply);
        else tell("Somebody of the team will answer here.");
      } catch (error) {
        if (error.status === 422 || error.status === 403 || error.status === 404) {
          kept.pending = null;
          keep();
          tell(`That could not be sent: ${error.message}`);
          break;
        }
        if (error.status !== 202) tell("No connection; trying again …");
        await new Promise((go) => setTimeout(go, pause));
      }
    }
    busy = false;
    send.disabled = false;
    plan();
  }

  async function look() {
    try {
      const found = await ask(`?after=${seen}`);
      held = found.held_by === "human";
      for (const message of found.messages) {
        if (message.number <= seen) continue;
        if (message.role === "customer") { seen = message.number; show(message); } else take(message);
      }
    } catch (error) {
      if (error.status === 404) { kept.begun = false; keep(); } else noted(error);
    }
  }

  /* While a human holds the thread, what they write is looked for; else nothing is asked. */
  function plan() {
    clearTimeout(timer);
    if (held && !panel.hidden && !document.hidden && !busy) {
      timer = setTimeout(async () => { await look(); plan(); }, POLL_MS);
    }
  }

  function take(message) {
    seen = Math.max(seen, message.number);
    show(message);
    const reply = message.said;
    if (!reply) return;
    if (reply.proposal) offer([["Yes", () => confirm(reply.proposal)], ["No", () => decline(reply.proposal)]]);
    else if (reply.choices.length) offer(reply.choices.map((choice) => [choice, () => say(choice)]));
    else if (reply.type === "answer") offer([["That helped", () => helped(true)], ["That did not help", () => helped(false)]]);
  }

  function show(message) {
    const turn = make("div", { class: `turn ${message.role}` });
    const who = message.role === "customer" ? "You" : message.role === "human" ? "Team" : "Automatic agent";
    turn.append(make("span", { class: "who" }, who), document.createTextNode(message.text));
    const links = new Map();
    for (const claim of (message.said && message.said.claims) || []) {
      for (const each of claim.evidence) if (/^https?:\/\//.test(each.url)) links.set(each.url, each);
    }
    if (links.size) {
      const list = make("ul", { class: "sources", "aria-label": "Sources" });
      for (const [url, each] of links) {
        const row = make("li", {});
        const dated = each.published || each.fetched;
        row.append(make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, each.title || url));
        if (dated) row.append(`, ${dated.slice(0, 10)}`);
        list.append(row);
      }
      turn.append(list);
    }
    log.append(turn);
    log.scrollTop = log.scrollHeight;
  }

  function offer(choices) {
    clearChoices();
    const row = make("div", { class: "choices", role: "group", "aria-label": "Answers to choose from" });
    for (const [text, act] of choices) {
      const button = make("button", { type: "button" }, text);
      button.addEventListener("click", () => { clearChoices(); box.focus(); act(); });
      row.append(button);
    }
    log.append(row);
    log.scrollTop = log.scrollHeight;
  }

  function clearChoices() {
    for (const row of log.querySelectorAll(".choices")) row.remove();
  }

  async function confirm(proposal) {
    show({ role: "customer", text: "Yes" });
    try {
      const done = await ask(`/proposals/${proposal.id}/confirm`, { confirm: proposal.confirm, token: customerToken });
      show({ role: "agent", text: done.text, said: done });
    } catch (error) {
      /* Not proven who it is: said in words, the agent asks for a code. */
      if (error.status === 403) { kept.pending = { id: secret(), text: "Yes" }; keep(); await deliver(); }
      else tell(error.message);
    }
  }

  async function decline(proposal) {
    show({ role: "customer", text: "No" });
    await ask(`/proposals/${proposal.id}/decline`, {}).catch(noted);
  }

  async function helped(resolved) {
    tell(resolved ? "Good to know, thank you." : "Sorry. Ask in other words, or ask for a human.");
    await ask("/resolved", { resolved }).catch(noted);
  }

  function tell(text) { said.textContent = text; }
  function noted(error) { console.warn("tenfold:", error); tell(String(error.message)); }
})();
