// Puts the server's changes (patches.py) in place and tells it what the reader does. Triggers 'ask', 'rate', 'earlier', 'nudge'.
const scroller = element.querySelector(".scroller");
const exchanges = element.querySelector(".exchanges");
const welcome = element.querySelector(".welcome-place");
const earlier = element.querySelector(".earlier");
const complaint = element.querySelector(".complaint");
const latest = element.querySelector(".latest");
const status = element.querySelector("[role=status]");
const PENDING = "pending";
const NEAR = 80; // pixels from the end within which the page keeps following the answer
const MARGIN = 16; // pixels above the question that an answer is followed under
const DRAFT = "attune-draft";
const PATIENCE = 2000; // milliseconds without a sign of life after which the server is asked again
let revision = 0;
let following = true;
let fromEnd = null; // where the reader was, in pixels from the end, while what came before is fetched

const questionBox = () => document.querySelector("#ask textarea");
const find = (key) => [...exchanges.children].find((one) => one.dataset.key === key);

function apply() {
  const patch = props.value;
  if (!patch || !(patch.revision > revision)) return;
  revision = patch.revision;
  const added = change(patch);
  complaint.textContent = patch.complaint ?? "";
  document.getElementById("app").toggleAttribute("data-running", patch.running);
  if (status.textContent !== patch.status) status.textContent = patch.status;
  address(patch);
  if (patch.complaint) toEnd();
  else if (fromEnd === null) follow(patch.whole || added);
  else scroller.scrollTop = scroller.scrollHeight - fromEnd;
  fromEnd = null;
  markMuted();
  if (patch.whole || !patch.running) tell("attune:changed");
  if (patch.whole) restoreDraft();
}

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

function change(patch) {
  let added = false;
  if (patch.whole) {
    exchanges.replaceChildren();
    scroller.scrollTop = 0;
    welcome.innerHTML = patch.welcome ?? "";
    earlier.hidden = !patch.earlier;
    earlier.textContent = `Show ${patch.earlier} earlier questions`;
    element.classList.add("ready");
  } else if (patch.exchanges.length) {
    welcome.replaceChildren();
    if (patch.drop_from) dropFrom(patch.drop_from);
  }
  for (const one of patch.exchanges) added = place(one) || added;
  return added;
}

// Parts that did not change stay as they are, with their open panels and the reader's selection.
function place({ key, parts }) {
  let article = find(key) ?? find(PENDING);
  const added = !article;
  if (added) {
    article = document.createElement("article");
    for (const name of Object.keys(parts)) {
      const part = document.createElement("div");
      part.className = `part ${name}-part`;
      article.append(part);
    }
    exchanges.append(article);
  }
  article.dataset.key = key;
  Object.values(parts).forEach((html, index) => {
    const part = article.children[index];
    if (part.source !== html) part.innerHTML = part.source = html;
  });
  return added;
}

function dropFrom(key) {
  const from = find(key);
  while (from?.nextElementSibling) from.nextElementSibling.remove();
  from?.remove();
}

// The address names the open conversation, so that reloading, the back button and links work.
function address(patch) {
  if (!("conversation" in patch) || "admin" in document.getElementById("app").dataset) return;
  const url = location.pathname + (patch.conversation ? "?c=" + encodeURIComponent(patch.conversation) : "");
  if (url === location.pathname + location.search) return;
  if (patch.remember) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}

// An answer is followed as it grows, until its question reaches the top: its beginning stays in sight. A reader who has
// gone on to the end is kept there.
function follow(always) {
  if (always) following = true;
  const question = (exchanges.lastElementChild?.offsetTop ?? 0) - MARGIN;
  const end = scroller.scrollHeight - scroller.clientHeight;
  if (following) scroller.scrollTop = scroller.scrollTop > question ? end : Math.min(question, end);
  atEnd();
}

function toEnd() {
  scroller.scrollTop = scroller.scrollHeight;
  atEnd();
}

function atEnd() {
  const rest = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  following = rest < NEAR;
  latest.hidden = following;
}

// Gradio's client closes its stream of events when the last one ended; a question that it sends in that very moment is
// answered, but nobody listens. Any further event opens the stream again.
function expectReply() {
  const before = revision;
  setTimeout(() => revision === before && trigger("nudge"), PATIENCE);
}

// What is typed outlives the page, which Gradio's client loads again by itself after the server was away.
function keepDraft() {
  try {
    sessionStorage.setItem(DRAFT, questionBox()?.value ?? "");
  } catch {
    // a browser that keeps nothing: what was typed is lost with the page
  }
}

function restoreDraft() {
  let draft = null;
  try {
    draft = sessionStorage.getItem(DRAFT);
    sessionStorage.removeItem(DRAFT);
  } catch {
    // nothing was kept
  }
  const box = questionBox();
  if (!draft || !box || box.value) return;
  box.value = draft;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

function ask(text, messageId = "", personal = "") {
  expectReply();
  trigger("ask", { text, message_id: messageId, personal });
  questionBox()?.focus({ preventScroll: true });
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.classList.add("copied");
    status.textContent = "Copied";
    setTimeout(() => button.classList.remove("copied"), 1500);
  } catch {
    complaint.textContent = "The browser did not let this page copy.";
  }
}

function rate(button, article) {
  const pressed = button.getAttribute("aria-pressed") === "true";
  for (const other of article.querySelectorAll("[data-act=rate]")) other.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", String(!pressed));
  trigger("rate", { message_id: article.dataset.key, rating: pressed ? "0" : button.dataset.rating });
}

// Receipts follow the profile: what is muted there is shown as muted here, and can be allowed again.
let muted = new Set();
const named = (facet, value) => JSON.stringify([facet, value.trim().replace(/\s+/g, " ").toLowerCase()]);

function markMuted() {
  for (const button of exchanges.querySelectorAll("[data-act=not-this]")) {
    const off = muted.has(named(button.dataset.facet, button.dataset.value));
    button.setAttribute("aria-pressed", String(off));
    button.textContent = off ? "Muted" : "Not this";
  }
}

function notThis(button) {
  const { facet, value } = button.dataset;
  tell("attune:act", { do: button.getAttribute("aria-pressed") === "true" ? "unmute" : "mute", facet, value });
}

// The last answer is replaced; an earlier one stays, and is answered anew at the end.
function impersonal(article) {
  const last = article === exchanges.lastElementChild;
  ask(article.querySelector("[data-question]").textContent, last ? article.dataset.key : "", "no");
}

function takeOff(line) {
  const next = line.nextElementSibling ?? line.previousElementSibling;
  (next ? line : line.closest("section")).remove();
  (next?.querySelector("a, button") ?? questionBox())?.focus({ preventScroll: true });
}

function takenBack(key) {
  const line = find(key)?.querySelector("[data-noted]");
  if (line) line.textContent = "Taken back: nothing was noted.";
}

function openSource(article, number) {
  const panel = article.querySelector(`[data-source="${number}"]`);
  if (!panel) return;
  panel.open = true;
  panel.querySelector("summary").focus({ preventScroll: true });
  panel.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
}

function edit(article) {
  const bubble = article.querySelector("[data-question]");
  const form = document.createElement("form");
  form.className = "editing";
  form.innerHTML =
    '<textarea aria-label="Your question" rows="3" dir="auto"></textarea><div>' +
    '<button type="button" class="button" data-act="keep">Cancel</button>' +
    '<button type="submit" class="button primary">Ask again</button></div>';
  const area = form.querySelector("textarea");
  area.value = bubble.textContent;
  const row = article.querySelector(".question");
  const close = () => {
    form.remove();
    row.hidden = false;
    row.querySelector("[data-act=edit]")?.focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text) return;
    close();
    ask(text, article.dataset.key);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.querySelector("[data-act=keep]").addEventListener("click", close);
  row.hidden = true;
  row.after(form);
  area.focus();
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const acts = {
  ask: (button) => ask(button.dataset.text),
  retry: (_, article) => ask(article.querySelector("[data-question]").textContent, article.dataset.key),
  edit: (_, article) => edit(article),
  rate,
  copy: (button) => copy(button, button.dataset.copy),
  "copy-code": (button) => copy(button, button.closest(".code").querySelector("pre").textContent),
  latest: toEnd,
  earlier: () => {
    fromEnd = scroller.scrollHeight - scroller.scrollTop;
    trigger("earlier");
  },
  step: (one) => {
    tell("attune:act", { do: "item", kind: one.dataset.kind, item: one.dataset.item });
    if (one.dataset.kind === "dismiss") takeOff(one.closest("li"));
  },
  "not-this": notThis,
  impersonal: (_, article) => impersonal(article),
  unlearn: (_, article) => tell("attune:act", { do: "unlearn", id: article.dataset.key }),
  reload: () => location.reload(),
};

element.addEventListener("click", (event) => {
  const cite = event.target.closest("[data-cite]");
  if (cite) {
    event.preventDefault();
    return openSource(cite.closest("article"), cite.dataset.cite);
  }
  const button = event.target.closest("[data-act]");
  acts[button?.dataset.act]?.(button, button.closest("article"));
});
scroller.addEventListener("scroll", atEnd, { passive: true });
new ResizeObserver(() => following && follow(false)).observe(element.querySelector(".lane"));
document.addEventListener("click", (event) => event.target.closest("#send") && expectReply());
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target === questionBox()) expectReply();
  if (event.key === "Escape" && document.querySelector("#app[data-running]")) document.getElementById("stop").click();
});
document.addEventListener("attune:muted", ({ detail }) => {
  muted = new Set(detail.map(([facet, value]) => named(facet, value)));
  markMuted();
});
document.addEventListener("attune:taken-back", ({ detail }) => takenBack(detail));
addEventListener("pagehide", keepDraft);
watch("value", apply);
apply();
