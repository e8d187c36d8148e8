// In the browser that signed up, opening the emailed link is confirmation enough.

document.getElementById("confirm").requestSubmit();
