// The list of conversations, opening and deleting them, and the drawer on small screens. Triggers 'open', 'remove'.
const list = element.querySelector(".list");
const drawer = element.querySelector("#drawer");
const menu = element.querySelector("[data-act=menu]");
const dialog = element.querySelector("dialog");
let doomed = null;

function apply() {
  const value = props.value ?? {};
  if (value.title) for (const place of element.querySelectorAll("[data-title]")) place.textContent = value.title;
  if ("admin" in value) element.querySelector(".admin").hidden = !value.admin;
  if ("account" in value) account(value.account);
  if ("html" in value && list.source !== value.html) list.innerHTML = list.source = value.html;
}

// What is kept belongs to the account where people sign in, and to this browser elsewhere.
function account(how) {
  element.querySelector(".sign-out").hidden = how !== "form";
  if (how) element.querySelector(".kept").textContent = "Kept on this server, for your account.";
}

function show(open) {
  if (element.classList.contains("drawer-open") === open) return;
  element.classList.toggle("drawer-open", open);
  menu.setAttribute("aria-expanded", String(open));
  document.getElementById("main").inert = open;
  if (open) drawer.querySelector("button, a").focus();
  else menu.focus();
}

function focusQuestion() {
  document.querySelector("#ask textarea")?.focus();
}

function open(id, remember) {
  trigger("open", { id, remember: remember ? "yes" : "" });
  show(false);
  focusQuestion();
}

function confirmDelete(button) {
  doomed = button.dataset.delete;
  dialog.querySelector("[data-doomed]").textContent = button.dataset.title;
  dialog.returnValue = "keep";
  dialog.showModal();
}

const acts = {
  menu: () => show(!element.classList.contains("drawer-open")),
  close: () => show(false),
  new: () => open("", true),
  profile: () => document.dispatchEvent(new CustomEvent("attune:panel")),
  skip: focusQuestion,
};

element.addEventListener("click", (event) => {
  const link = event.target.closest("[data-open]");
  const remove = event.target.closest("[data-delete]");
  const button = event.target.closest("[data-act]");
  if (remove) confirmDelete(remove);
  else if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    event.preventDefault();
    open(link.dataset.open, true);
  } else if (button) {
    event.preventDefault();
    acts[button.dataset.act]?.();
  }
});
element.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !dialog.open) show(false);
});
// What is typed outlives the page (transcript.js), but not the account.
element.querySelector(".sign-out").addEventListener("submit", () => {
  document.querySelector("#ask textarea").value = "";
});
dialog.addEventListener("close", () => {
  if (dialog.returnValue !== "delete") return;
  trigger("remove", { id: doomed });
  element.querySelector("nav [data-act=new]").focus();
});
addEventListener("popstate", () => open(new URLSearchParams(location.search).get("c") ?? "", false));
watch("value", apply);
apply();
