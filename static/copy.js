// Adds a button to each command that puts it on the clipboard.

function addCopyButton(box) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  button.setAttribute("aria-live", "polite");
  box.append(button);
}

// Browsers offer the clipboard over https and on localhost only.
if (navigator.clipboard) {
  document.querySelectorAll(".command").forEach(addCopyButton);
}
