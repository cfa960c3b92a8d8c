// A wedge scanner is fast keystrokes. They are caught wherever the focus is, except in text areas and passwords, and written into the scan
// field; what leaked into another field is taken out of it again. Enter, Tab or a pause ends a scan. The separator between fields (GS)
// arrives as Ctrl+], which browsers swallow: it is caught and written as a visible sign.
"use strict";

(() => {
  const SEPARATOR = "\u241d";
  const FAST = 60; // milliseconds between two characters; slower is a hand
  const PAUSE = 300; // milliseconds after which a scan has ended; until then a code goes on, as a wireless scanner or a busy machine sends it in parts
  // Codes begin with a symbology sign, two digits or a web address; also as a keyboard of another country types them.
  const A_CODE = /^([\]+$*][dDcCqQeE][0-9&é"'(\-è_çà]|[0-9&é"'(\-è_çà]{2}|https?[:/.]).{6,}$/;
  let caught = "";
  let last = 0;
  let leak = null; // the field with the focus, and its value before the scan
  let pause = 0;

  const field = () => document.querySelector("[data-scan]");
  const isSeparator = (event) => (event.ctrlKey && (event.key === "]" || event.code === "BracketRight")) || event.key === "\u001d";
  const isOutOfReach = (element) => element && (element.tagName === "TEXTAREA" || element.type === "password");
  const takesText = (element) => element.tagName === "INPUT" && !["checkbox", "radio", "button", "submit"].includes(element.type);

  const write = (input, text) => {
    const from = input.selectionStart === null ? input.value.length : input.selectionStart;
    const to = input.selectionEnd === null ? from : input.selectionEnd;
    input.setRangeText(text, from, to, "end");
  };

  const take = () => {
    const input = field();
    if (leak) {
      leak.input.value = leak.value;
      leak.input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    input.value = caught;
    caught = "";
    leak = null;
    input.focus();
    input.form.requestSubmit(document.querySelector("[data-scan-button]"));
  };

  document.addEventListener("keydown", (event) => {
    const input = field();
    if (!input || isOutOfReach(event.target)) return;
    const now = event.timeStamp;
    const inField = event.target === input;
    clearTimeout(pause);
    if (isSeparator(event)) {
      event.preventDefault();
      if (inField) write(input, SEPARATOR);
      caught += SEPARATOR;
      last = now;
    } else if (event.ctrlKey || event.altKey || event.metaKey) {
      return;
    } else {
      if (now - last > (caught.startsWith("]") || A_CODE.test(caught) ? PAUSE : FAST)) {
        caught = "";
        leak = takesText(event.target) && !inField ? { input: event.target, value: event.target.value } : null;
      }
      last = now;
      if ((event.key === "Enter" || event.key === "Tab") && A_CODE.test(caught)) {
        event.preventDefault();
        take();
        return;
      }
      if (event.key === "F9" && A_CODE.test(caught)) {
        event.preventDefault();
        sessionStorage.setItem("pressed-early", location.pathname);
        take();
        return;
      }
      if (event.key.length === 1) caught += event.key;
    }
    if (A_CODE.test(caught)) pause = setTimeout(take, PAUSE);
  }, true);

  // A pasted code keeps its separators visible too.
  document.addEventListener("paste", (event) => {
    const input = field();
    if (!input || event.target !== input) return;
    event.preventDefault();
    write(input, event.clipboardData.getData("text").replaceAll("\u001d", SEPARATOR));
  });
})();
