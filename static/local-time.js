// Shows the times of a page in the reader's own zone; without JavaScript they stay in UTC.

const today = new Intl.DateTimeFormat([], { timeStyle: "medium" });
const earlier = new Intl.DateTimeFormat([], {
  month: "short", day: "numeric", hour: "numeric", minute: "2-digit",
});

export function showLocalTime(element) {
  const at = new Date(element.dateTime);
  const isToday = at.toDateString() === new Date().toDateString();
  element.textContent = (isToday ? today : earlier).format(at);
  element.title = at.toISOString();
}

document.querySelectorAll("time[datetime]").forEach(showLocalTime);
