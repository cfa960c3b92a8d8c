// An idle counter locks; two minutes before it says so. A key or a click is a sign of life, which the server hears of now and then.
"use strict";

(() => {
  const MINUTE = 60_000;
  const WARNED_BEFORE = 2 * MINUTE;
  const HEARD_EVERY = MINUTE;

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("[data-idle]");
    const warning = document.getElementById("idle");
    if (!form || !warning) return;
    const most = Number(form.dataset.idle) * MINUTE;
    let last = Date.now();
    let heard = last;

    const tellServer = () => {
      heard = Date.now();
      const body = new FormData();
      body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
      fetch(form.dataset.stay, { method: "POST", body }).catch(() => {});
    };
    const live = () => {
      last = Date.now();
      warning.hidden = true;
      if (last - heard > HEARD_EVERY) tellServer();
    };
    for (const kind of ["keydown", "pointerdown", "input"]) document.addEventListener(kind, live);
    document.getElementById("idle-stay").addEventListener("click", live);

    setInterval(() => {
      const idle = Date.now() - last;
      if (idle >= most) form.requestSubmit();
      else warning.hidden = idle < most - WARNED_BEFORE;
    }, 1000);
  });
})();
