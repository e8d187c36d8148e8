// Keeps the inbox up to date without a reload. Texts of emails are set as text, never as markup.

import { showLocalTime } from "./local-time.js";

const INTERVAL = 2000;

const list = document.getElementById("mails");
const search = document.getElementById("q");
const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
let timer;
let running; // the request under way, so that a newer one replaces it

function slot(row, name) {
  return row.querySelector(`[data-slot="${name}"]`);
}

function build(email) {
  const row = document.getElementById("row").content.firstElementChild.cloneNode(true);
  const subject = row.querySelector("a");
  subject.textContent = email.subject;
  subject.href = email.url;
  slot(row, "to").textContent = email.to;
  slot(row, "kind").textContent = email.kind;
  const time = row.querySelector("time");
  time.dateTime = email.created_at;
  showLocalTime(time);
  return row;
}

function eventBadge(event) {
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.dataset.event = event;
  badge.textContent = event;
  return badge;
}

function update(row, email) {
  const badge = row.querySelector(".badge[data-state]");
  badge.textContent = email.state;
  badge.dataset.state = email.state;
  slot(row, "provider").textContent = email.provider ?? "";
  slot(row, "became").replaceChildren(...email.became.flatMap((event) => [eventBadge(event), " "]));
}

function dropMissing(ids) {
  for (const [id, row] of rows) {
    if (!ids.has(id)) {
      row.remove();
      rows.delete(id);
    }
  }
}

// Rows that stay are not moved, so that the keyboard's focus stays with them.
function show(emails) {
  dropMissing(new Set(emails.map((email) => email.id)));
  let place = list.firstElementChild;
  for (const email of emails) {
    if (!rows.has(email.id)) {
      rows.set(email.id, build(email));
    }
    const row = rows.get(email.id);
    update(row, email);
    if (row === place) {
      place = row.nextElementSibling;
    } else {
      list.insertBefore(row, place);
    }
  }
  document.getElementById("nothing-sent").hidden = emails.length > 0 || search.value !== "";
  document.getElementById("nothing-found").hidden = emails.length > 0 || search.value === "";
}

function announce(fresh) {
  fresh.forEach((email) => rows.get(email.id).classList.add("new"));
  if (fresh.length > 0) {
    document.getElementById("news").textContent =
      fresh.length === 1 ? `New email: ${fresh[0].subject}` : `${fresh.length} new emails`;
  }
}

async function load() {
  running?.abort();
  running = new AbortController();
  const url = new URL(list.dataset.feed, location.href);
  url.searchParams.set("q", search.value);
  const answer = await fetch(url, { signal: running.signal });
  if (!answer.ok) {
    throw new Error(`the inbox answered ${answer.status}`);
  }
  return (await answer.json()).emails;
}

async function poll({ quiet = false } = {}) {
  clearTimeout(timer);
  try {
    const emails = await load();
    const fresh = emails.filter((email) => !rows.has(email.id));
    show(emails);
    if (!quiet) {
      announce(fresh);
    }
    document.getElementById("away").hidden = true;
  } catch (error) {
    if (error.name === "AbortError") {
      return;
    }
    document.getElementById("away").hidden = false;
  }
  if (!document.hidden) {
    timer = setTimeout(poll, INTERVAL);
  }
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) {
    poll();
  }
});
search.addEventListener("input", () => poll({ quiet: true }));
poll();
