// Asks whether the database is back, and then repeats what was asked for. A form that may not be repeated only says so.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const outage = document.getElementById("outage");
  const again = document.getElementById("again");
  const now = document.getElementById("outage-now");
  let left = false;

  const repeat = () => {
    left = true;
    if (!again) now.textContent = "The database answers again.";
    else if (again.tagName === "FORM") again.requestSubmit();
    else location.replace(again.href);
  };
  const ask = async () => {
    const answer = await fetch(outage.dataset.probe, { cache: "no-store" }).catch(() => null);
    if (answer && answer.status < 500) repeat();
    else if (!left) setTimeout(ask, Number(outage.dataset.every) * 1000);
  };
  setTimeout(ask, Number(outage.dataset.every) * 1000);
});
