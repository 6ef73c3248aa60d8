// The administrators' page, at ?admin. Triggers 'act'; what may be seen and done is decided in admin_handlers.py.
const page = element.querySelector(".page");
const list = element.querySelector(".list");
const report = element.querySelector(".predictions");
const find = element.querySelector("[type=search]");
const dialog = element.querySelector("dialog");
const form = element.querySelector(".entry");
const status = element.querySelector("[role=status]");
const PAUSE = 200; // milliseconds without a key after which the words are looked for
let revision = 0;
let waiting = 0;
let opener = null;

const send = (act, data = {}) => trigger("act", { do: act, words: find.value, ...data });

function apply() {
  const state = props.value;
  if (!state || !(state.revision > revision)) return;
  revision = state.revision;
  const held = document.activeElement?.closest("[data-id], [data-edit]");
  const id = held && list.contains(held) ? held.dataset.id : null;
  list.innerHTML = state.entries;
  if (id) list.querySelector(`[data-id="${id}"]`)?.focus();
  for (const one of element.querySelectorAll(".find, main > section > .soft")) one.hidden = !state.allowed;
  if ("report" in state) {
    report.hidden = !state.report;
    report.querySelector(".lines").innerHTML = state.report;
  }
  for (const one of element.querySelectorAll(".refusal")) one.textContent = "";
  (dialog.open ? form : page).querySelector(".refusal").textContent = state.complaint ?? "";
  if (state.said) status.textContent = state.said;
  if (state.saved && dialog.open) dialog.close();
  for (const button of form.querySelectorAll("button")) button.disabled = false;
}

function edit(entry) {
  form.reset();
  for (const [name, value] of Object.entries(entry)) form.elements[name].value = value;
  element.querySelector("#entry-title").textContent = entry.name ? `Edit ${entry.name}` : "Add an entry";
  form.querySelector(".refusal").textContent = "";
  opener = entry.id ? `[data-id="${entry.id}"]` : "";
  dialog.showModal();
  form.elements.name.focus();
}

const acts = { add: () => edit({ id: "" }), cancel: () => dialog.close() };

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.edit) edit(JSON.parse(button.dataset.edit));
  else if (button.dataset.do) send(button.dataset.do, { id: button.dataset.id });
  else acts[button.dataset.act]?.();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send("save", Object.fromEntries(new FormData(form)));
});
dialog.addEventListener("close", () => opener && list.querySelector(opener)?.previousElementSibling?.focus());
element.querySelector(".find").addEventListener("submit", (event) => event.preventDefault());
find.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => send("find"), PAUSE);
});
watch("value", apply);
if (new URLSearchParams(location.search).has("admin")) {
  document.getElementById("app").dataset.admin = "";
  page.hidden = false;
  send("show");
}
