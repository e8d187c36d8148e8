// Reloads the gallery when a template or a module of the emails was saved.

const INTERVAL = 1000;

const { version, feed } = document.querySelector("[data-version]").dataset;
let timer;

async function poll() {
  clearTimeout(timer);
  try {
    const answer = await fetch(feed);
    if (answer.ok && (await answer.json()).version !== version) {
      location.reload();
      return;
    }
  } catch {
    // The server is starting anew with what was saved; the next call finds it.
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
poll();
