// A wedge scanner is fast keystrokes. They are caught wherever the focus is, except in text areas and passwords, and written into the scan
// field; what leaked into another field is taken out of it again. Enter or Tab ends a scan. A pause ends only a code that is whole, with its
// lot closed; of any other code it is not known whether more comes, and it waits in the scan field for Enter.
// The separator between fields (GS) arrives as Ctrl+], which browsers swallow: it is caught and written as a visible sign.
"use strict";

(() => {
  const SEPARATOR = "\u241d";
  const FAST = 60; // milliseconds between two characters; slower may be a hand, or a slow scanner
  const PAUSE = 300; // milliseconds without a character after which a scan may have ended
  const APART = 2000; // milliseconds after which a character has nothing to do with the one before
  // Codes begin with a symbology sign, two digits or a web address; also as a keyboard of another country types them.
  const A_CODE = /^([\]+$*][dDcCqQeE][0-9&é"'(\-è_çà]|[0-9&é"'(\-è_çà]{2}|https?[:/.]).{6,}$/;
  const SIGN = /^\][A-Za-z]\d/;
  const PART = new RegExp(`^(?:(01)(\\d{14})|(1[1-7])\\d{6}|(10|21|22|240|71\\d)[^${SEPARATOR}]{1,20}(${SEPARATOR}|$))`);
  let caught = "";
  let last = 0;
  let isSlow = false; // slower than a scanner, or soon after another key: a hand, a slow scanner, or the rest of a code
  let isWaiting = false; // it waits in the scan field for Enter; what comes in now belongs to it
  let leak = null; // the field with the focus, and its value before the scan
  let pause = 0;
  let lost = -PAUSE; // the last key of a scan that began while the page was loading

  const field = () => document.querySelector("[data-scan]");
  const isSeparator = (event) => (event.ctrlKey && (event.key === "]" || event.code === "BracketRight")) || event.key === "\u001d";
  const isOutOfReach = (element) => element && (element.tagName === "TEXTAREA" || element.type === "password");
  const takesText = (element) => element.tagName === "INPUT" && !["checkbox", "radio", "button", "submit"].includes(element.type);
  const isSigned = () => caught.startsWith("]");

  const write = (input, text) => {
    const from = input.selectionStart === null ? input.value.length : input.selectionStart;
    const to = input.selectionEnd === null ? from : input.selectionEnd;
    input.setRangeText(text, from, to, "end");
  };

  const hasCheckDigit = (digits) => {
    const sum = [...digits].reverse().reduce((total, digit, place) => total + Number(digit) * (place % 2 ? 3 : 1), 0);
    return sum % 10 === 0;
  };

  // The numbers of the parts of a GS1 code in their sequence; none where it cannot be read to its end.
  const partsOf = (code) => {
    const parts = [];
    for (let rest = code.replace(SIGN, ""); rest;) {
      const match = PART.exec(rest);
      if (!match || (match[1] && !hasCheckDigit(match[2]))) return [];
      parts.push(match[1] || match[3] || match[4]);
      rest = rest.slice(match[0].length);
    }
    return parts;
  };

  // A pack with expiry and lot, and a part after the lot: a longer lot would be another.
  const isWhole = (code) => {
    const parts = partsOf(code);
    return ["01", "17", "10"].every((number) => parts.includes(number)) && (parts.at(-1) !== "10" || code.endsWith(SEPARATOR));
  };

  // A code that a hand does not type and that is no rest of a longer one.
  const isCode = () => A_CODE.test(caught) && (!isSlow || isSigned() || isWaiting || partsOf(caught).includes("01")
    || (/^(\d{8}|\d{12,14})$/.test(caught) && hasCheckDigit(caught)));

  const putInField = () => {
    const input = field();
    if (leak) {
      leak.input.value = leak.value;
      leak.input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    leak = null;
    input.value = caught;
    input.focus();
    return input;
  };

  const forget = () => {
    caught = "";
    isWaiting = false;
    leak = null;
  };

  const take = () => {
    const input = putInField();
    forget();
    input.form.requestSubmit(document.querySelector("[data-scan-button]"));
  };

  const end = () => {
    if (isWhole(caught)) take();
    else if (isSigned() || !isSlow) {
      putInField();
      isWaiting = true;
      const status = document.querySelector("[data-early]") || document.getElementById("live");
      status.textContent = "The code may go on. Press Enter to take it as it stands in the scan field.";
    }
  };

  // A scan that began while the page was loading lacks its first characters: all of it is dropped, and the page says so.
  document.addEventListener("keydown", (event) => {
    const isKey = event.key.length === 1 || event.key === "Enter" || event.key === "Tab";
    if (!isKey || (document.readyState !== "loading" && event.timeStamp - lost > PAUSE)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.key.length > 1) return;
    lost = event.timeStamp;
    if (document.readyState === "loading") sessionStorage.setItem("pressed-early", location.pathname);
  }, true);

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
    } else if (event.key.length === 1) {
      const gap = now - last;
      if (!caught || gap > (isSigned() ? APART : PAUSE) || event.key === "]") {
        if (!isWaiting || event.key === "]") {
          forget();
          isSlow = gap < APART;
          leak = takesText(event.target) && !inField ? { input: event.target, value: event.target.value } : null;
        }
      } else if (gap > FAST) isSlow = true;
      last = now;
      if (isWaiting && event.key === "]" && inField) input.value = "";
      caught += event.key;
    } else if (["Enter", "Tab"].includes(event.key)) {
      if (isCode()) {
        event.preventDefault();
        take();
      } else forget();
      return;
    } else if (event.key === "F9" && isCode() && now - last < PAUSE) {
      event.preventDefault();
      sessionStorage.setItem("pressed-early", location.pathname);
      take();
      return;
    } else if (!["Shift", "AltGraph", "CapsLock", "Dead"].includes(event.key)) {
      forget();
    }
    if (A_CODE.test(caught)) pause = setTimeout(end, PAUSE);
  }, true);

  // A pasted code keeps its separators visible too.
  document.addEventListener("paste", (event) => {
    const input = field();
    if (!input || event.target !== input) return;
    event.preventDefault();
    write(input, event.clipboardData.getData("text").replaceAll("\u001d", SEPARATOR));
  });
})();
