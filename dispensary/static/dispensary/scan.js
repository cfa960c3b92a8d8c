// A wedge scanner is fast keystrokes. They are caught wherever the focus is, except in free text, and written into the scan field. The
// separator between fields (GS) arrives as Ctrl+], which browsers swallow: it is caught and written as a visible sign.
"use strict";

(() => {
  const SEPARATOR = "\u241d";
  const FAST = 100; // milliseconds between two characters; slower is a hand
  const A_CODE = /^(\]|\d).{7,}$/; // codes begin with a symbology sign or a digit; a word never does
  let caught = "";
  let last = 0;

  const field = () => document.querySelector("[data-scan]");
  const isSeparator = (event) => (event.ctrlKey && (event.key === "]" || event.code === "BracketRight")) || event.key === "\u001d";
  const isFreeText = (element) =>
    element && (element.tagName === "TEXTAREA" || (element.tagName === "INPUT" && element.dataset.scan === undefined &&
      !["checkbox", "radio", "button", "submit"].includes(element.type)));

  const write = (input, text) => {
    const from = input.selectionStart === null ? input.value.length : input.selectionStart;
    const to = input.selectionEnd === null ? from : input.selectionEnd;
    input.setRangeText(text, from, to, "end");
  };

  const take = (input, text) => {
    input.value = text;
    input.focus();
    const button = document.querySelector("[data-scan-button]");
    if (button) input.form.requestSubmit(button);
  };

  document.addEventListener("keydown", (event) => {
    const input = field();
    if (!input || isFreeText(event.target)) return;
    const now = event.timeStamp;
    const inField = event.target === input;
    if (isSeparator(event)) {
      event.preventDefault();
      if (inField) write(input, SEPARATOR);
      else caught += SEPARATOR;
      last = now;
      return;
    }
    if (inField || event.ctrlKey || event.altKey || event.metaKey) return;
    if (now - last > FAST) caught = "";
    last = now;
    if (event.key === "Enter" && A_CODE.test(caught)) {
      event.preventDefault();
      take(input, caught);
      caught = "";
    } else if (event.key.length === 1) {
      caught += event.key;
    }
  }, true);

  // A pasted code keeps its separators visible too.
  document.addEventListener("paste", (event) => {
    const input = field();
    if (!input || event.target !== input) return;
    event.preventDefault();
    write(input, event.clipboardData.getData("text").replaceAll("\u001d", SEPARATOR));
  });
})();
