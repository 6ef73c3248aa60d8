// The profile panel: puts what the server says in place (panel_handlers.py) and tells it what is pressed, here and in
// receipts. Triggers 'act', 'forget'. Whether it is open is kept in this browser only.
const app = document.getElementById("app");
const aside = element.querySelector("aside");
const toggle = element.querySelector(".toggle");
const tabs = element.querySelector(".tabs");
const rows = element.querySelector(".rows");
const parts = element.querySelector(".parts");
const complaint = element.querySelector(".refusal");
const status = element.querySelector("[role=status]");
const dialogs = Object.fromEntries([...element.querySelectorAll("dialog")].map((one) => [one.dataset.dialog, one]));
const WIDE = matchMedia("(min-width: 1181px)");
const STORED = "attune-profile";
let revision = 0;
let tab = "profile";
let stale = true; // what is shown is older than the profile

const conversation = () => new URLSearchParams(location.search).get("c") ?? "";
const isOpen = () => app.dataset.profile === "open";
const drawer = () => !WIDE.matches;
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function store(state) {
  try {
    localStorage.setItem(STORED, state);
  } catch {
    // a browser that keeps nothing: the panel is as it is by default the next time
  }
}

function show(open) {
  app.dataset.profile = open ? "open" : "closed";
  for (const button of document.querySelectorAll("[aria-controls=profile-panel]")) button.setAttribute("aria-expanded", String(open));
  const cover = open && drawer();
  for (const one of app.querySelectorAll(":scope > :not(#panel, #admin)")) one.inert = cover;
  if (open && stale) refresh();
}

// Not before the conversation is drawn: that comes first.
function refresh() {
  if (document.querySelector("#transcript .ready")) send("show");
}

function choose(open) {
  show(open);
  if (!drawer()) store(open ? "open" : "closed");
  if (open) aside.querySelector("header button").focus();
  else [...document.querySelectorAll("[aria-controls=profile-panel]")].find((one) => one.checkVisibility())?.focus();
}

function send(act, data = {}) {
  const open = [...parts.querySelectorAll("details[data-facet][open]")].map(({ dataset }) => [dataset.facet, dataset.value]);
  if (act === "show") stale = false;
  trigger("act", { do: act, open: JSON.stringify(open), ...data });
}

function apply() {
  const state = props.value;
  if (!state || !(state.revision > revision)) return;
  revision = state.revision;
  const held = focused();
  place(state.parts);
  refocus(held);
  complaint.textContent = state.complaint ?? "";
  aside.classList.add("ready");
  if ("for_you" in state) rows.innerHTML = state.for_you;
  if (state.said) status.textContent = state.said;
  if (!conversation() && app.dataset.learning === "off") learnHere(false);
  tell("attune:muted", state.muted);
  if (state.taken_back) tell("attune:taken-back", state.taken_back);
  if (state.export) download(state.export);
  if (state.forgotten) {
    element.querySelector(".counts").innerHTML = state.forgotten;
    dialogs.forgotten.showModal();
  }
}

function place(htmls) {
  for (const [name, html] of Object.entries(htmls)) {
    let part = [...parts.children].find((one) => one.dataset.part === name);
    if (!part) {
      part = document.createElement("div");
      part.dataset.part = name;
      parts.append(part);
    }
    if (part.source === html) continue;
    const rest = [...part.querySelectorAll("details.rest[open]")].map((one) => one.dataset.rest);
    const typed = part.querySelector("input[name=tag]")?.value ?? "";
    part.innerHTML = part.source = html;
    for (const one of part.querySelectorAll("details.rest")) one.open = rest.includes(one.dataset.rest);
    const box = part.querySelector("input[name=tag]");
    if (box) box.value = typed;
  }
}

// A part that is drawn anew takes the focus away: give it to what stands for the same, else to the section's heading.
function focused() {
  const at = document.activeElement;
  if (!at || !parts.contains(at)) return null;
  const line = at.closest("details[data-facet]");
  return { at, data: { ...at.dataset }, tag: at.tagName, id: at.id, line: line && { ...line.dataset }, part: at.closest("[data-part]").dataset.part };
}

function refocus(held) {
  if (!held || held.at.isConnected) return;
  const part = [...parts.children].find((one) => one.dataset.part === held.part);
  const same = (one, data) => Object.entries(data).every(([name, value]) => one.dataset[name] === value);
  const line = held.line && [...part.querySelectorAll("details[data-facet]")].find((one) => same(one, held.line));
  const place = held.id || Object.keys(held.data).length
    ? [...part.querySelectorAll(held.tag)].find((one) => one.id === held.id && same(one, held.data))
    : null;
  (place ?? line?.querySelector("summary") ?? part.querySelector("h3") ?? parts.querySelector("h3"))?.focus({ preventScroll: true });
}

// Suggestions are asked for when they are looked at; what is pressed there changes its card only, so that nothing jumps.
function choosePart(name) {
  tab = name;
  for (const one of tabs.children) {
    one.setAttribute("aria-selected", String(one.dataset.tab === name));
    one.tabIndex = one.dataset.tab === name ? 0 : -1;
  }
  for (const one of element.querySelectorAll("[data-body]")) one.hidden = one.dataset.body !== name;
  if (name === "for_you") send("for_you");
}

function actOnItem(control, kind, data = {}) {
  const card = control.closest("[data-item]");
  send("item", { kind, item: card.dataset.item, ...data });
  if (kind !== "dismiss") return;
  const next = card.nextElementSibling ?? card.previousElementSibling;
  if (next) next.querySelector("button, a").focus();
  else tabs.querySelector("[aria-selected=true]").focus();
  if (next) card.remove();
  else card.closest(".row").remove();
}

const itemActs = {
  opened: (link) => actOnItem(link, "opened"),
  dismiss: (button) => actOnItem(button, "dismiss"),
  save: (button) => {
    const saved = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!saved));
    actOnItem(button, saved ? "unsave" : "save");
  },
};

function learnHere(on) {
  const box = parts.querySelector("[data-switch=conversation]");
  if (box) box.checked = on;
}

function download(text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "profile.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  status.textContent = "Your data was saved as profile.json.";
}

function ask(name) {
  dialogs[name].returnValue = "keep";
  dialogs[name].showModal();
}

const switches = {
  user: (on) => send("learning", { on }),
  // A conversation that has not begun is not on the server yet: the first question says so (page.py reads it).
  conversation: (on) => {
    if (conversation()) return send("learning_here", { on, conversation: conversation() });
    app.dataset.learning = on ? "" : "off";
    status.textContent = on ? "What you ask next is learned from." : "Nothing is learned from what you ask next.";
  },
};

const acts = {
  toggle: () => choose(!isOpen()),
  close: () => choose(false),
  suggest: () => send("for_you"),
  export: () => send("export"),
  "ask-reset": () => ask("reset"),
  "ask-forget": () => ask("forget"),
};

element.addEventListener("click", (event) => {
  const act = event.target.closest("[data-act]");
  if (act) return acts[act.dataset.act]?.();
  const chosen = event.target.closest("[data-tab]");
  if (chosen) return choosePart(chosen.dataset.tab);
  const onItem = event.target.closest("[data-item-do]");
  if (onItem) return itemActs[onItem.dataset.itemDo](onItem);
  const button = event.target.closest("[data-do]");
  if (!button) return;
  const { do: name, ...data } = button.dataset;
  send(name, data);
});
element.addEventListener("change", (event) => {
  const { switch: name } = event.target.dataset;
  if (name) switches[name](event.target.checked ? "yes" : "");
  if ("itemRate" in event.target.dataset && event.target.value) actOnItem(event.target, "rate", { stars: event.target.value });
});
element.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-form]");
  if (!form) return;
  event.preventDefault();
  const box = form.elements.tag;
  if (!box.value.trim()) return box.focus();
  send("add_tag", { tag: box.value });
  box.value = "";
});
// `toggle` does not bubble; the server is asked for the reasons of a line when it is opened.
parts.addEventListener("toggle", ({ target }) => {
  if (target.open && target.matches("[data-facet]") && !target.querySelector(".why.known")) send("show");
}, true);
tabs.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
  choosePart(tab === "profile" ? "for_you" : "profile");
  tabs.querySelector("[aria-selected=true]").focus();
});
element.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || element.querySelector("dialog[open]")) return;
  event.stopPropagation();
  if (drawer()) choose(false);
});
dialogs.reset.addEventListener("close", () => dialogs.reset.returnValue === "do" && send("reset"));
dialogs.forget.addEventListener("close", () => dialogs.forget.returnValue === "do" && trigger("forget", {}));
document.addEventListener("attune:panel", () => choose(!isOpen()));
document.addEventListener("attune:act", ({ detail }) => send(detail.do, detail));
// Something was learned, or another conversation is open.
document.addEventListener("attune:changed", () => {
  if (conversation()) delete app.dataset.learning;
  stale = true;
  if (isOpen()) refresh();
});
WIDE.addEventListener("change", () => show(WIDE.matches && stored() !== "closed"));
watch("value", apply);
app.dataset.profile = WIDE.matches && stored() !== "closed" ? "open" : "closed";
show(isOpen());
apply();
