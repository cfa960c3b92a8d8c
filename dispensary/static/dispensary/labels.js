// Prints the labels as soon as they are drawn, then goes back. With the browser's kiosk printing nothing is asked in between.
"use strict";

(() => {
  const back = document.getElementById("back");
  const leave = () => window.location.replace(back.href);
  window.addEventListener("afterprint", leave);
  window.addEventListener("load", async () => {
    await Promise.all([...document.images].map((picture) => picture.decode()));
    back.focus();
    window.print(); // waits for the dialog, where there is one
    setTimeout(leave, 1000); // a browser without a printer says nothing afterwards
  });
})();
