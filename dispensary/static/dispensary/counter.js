// Keys, focus and one live region of the pages. Every task also works without it.
"use strict";

(() => {
  const typing = (element) => element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));

  // A key's name as the buttons carry it: "F9", "Alt+l", "?".
  const keyName = (event) => (event.altKey ? "Alt+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key);

  let opened = null; // what a key has opened, and where the focus was before
  const press = (element) => {
    if (element.tagName === "SUMMARY") {
      opened = element.parentElement.open ? null : { details: element.parentElement, before: document.activeElement };
      element.parentElement.open = !element.parentElement.open;
      element.focus();
    } else if (typing(element) || element.dataset.keyFocus !== undefined) {
      element.focus();
      if (element.select) element.select();
    } else {
      element.click();
    }
  };

  // A key whose deed has to wait: the status says why, and the focus goes to what it waits for.
  const refuse = (status) => {
    const waiting = document.getElementById(status.dataset.focuses);
    status.textContent = status.dataset.refusal;
    waiting.focus({ preventScroll: true });
    waiting.scrollIntoView({ block: "center" });
  };

  // F6 goes round the panes, Shift+F6 back.
  const nextPane = (back) => {
    const panes = [...document.querySelectorAll("[data-pane]")];
    if (!panes.length) return;
    const here = panes.findIndex((pane) => pane.contains(document.activeElement));
    const next = panes[(here + (back ? -1 : 1) + panes.length) % panes.length];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey) return;
    if (event.key === "F6") {
      event.preventDefault();
      nextPane(event.shiftKey);
      return;
    }
    if (event.key === "Escape") {
      const { details, before } = opened || {};
      if (details && details.open) {
        details.open = false;
        before.focus();
      } else if (event.target.dataset.scan !== undefined) event.target.blur();
      opened = null;
      return;
    }
    const name = keyName(event);
    if (document.readyState === "loading") {
      if (name.length > 1 && (event.altKey || /^F\d/.test(name))) {
        event.preventDefault();
        sessionStorage.setItem("pressed-early", location.pathname);
      }
      return;
    }
    const isEmptySearch = event.target.dataset.scan !== undefined && !event.target.value;
    if (name.length === 1 && typing(event.target) && !(name === "?" && isEmptySearch)) return;
    const wanted = [...document.querySelectorAll("[data-key]")].find((element) => element.dataset.key === name);
    const refusal = [...document.querySelectorAll("[data-refuses]")].find((element) => element.dataset.refuses === name);
    if (!wanted && !refusal) return;
    event.preventDefault();
    if (wanted) press(wanted);
    else refuse(refusal);
  });

  // Arrows go from row to row of a list, Page Up and Page Down ten rows; from the search field to the first.
  const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
  document.addEventListener("keydown", (event) => {
    const rows = [...document.querySelectorAll("[data-row]")];
    const here = rows.indexOf(document.activeElement);
    const fromSearch = document.activeElement.dataset.scan !== undefined && event.key === "ArrowDown";
    if (!STEPS[event.key] || !rows.length || (here < 0 && !fromSearch)) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(rows.length - 1, here + STEPS[event.key]));
    rows[here < 0 ? 0 : next].focus();
  });

  const say = (words) => {
    const live = document.getElementById("live");
    if (live) live.textContent = words;
  };

  const settle = (root) => {
    const aimed = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const target = root.querySelector("#error-summary") || (root === document && aimed) || root.querySelector("[data-focus]");
    if (target) target.focus();
    const announcement = root.querySelector("[data-say]");
    if (announcement) say(announcement.dataset.say);
  };

  // A link of the error summary goes to its field, and the field's question stays in sight.
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".nhsuk-error-summary a");
    const field = link && document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    (field.closest(".nhsuk-form-group") || field).scrollIntoView({ block: "center" });
    field.focus({ preventScroll: true });
  });

  // A lock takes along what stands in the fields, without passwords; the page gets it back when it is opened again.
  const fieldsOf = (root) => [...root.querySelectorAll("input, textarea, select")].filter(
    (field) => field.name && field.name !== "csrfmiddlewaretoken" && !["password", "submit", "hidden"].includes(field.type));

  document.addEventListener("submit", (event) => {
    if (event.target.dataset.lock === undefined) return;
    const fields = fieldsOf(document.getElementById("main"))
      .filter((field) => (["radio", "checkbox"].includes(field.type) ? field.checked : field.value))
      .map((field) => [field.name, field.value]);
    event.target.elements.typed.value = JSON.stringify(fields);
  });

  const giveBack = () => {
    const kept = document.getElementById("typed");
    if (!kept) return;
    const fields = fieldsOf(document.getElementById("main"));
    for (const [name, value] of JSON.parse(kept.textContent)) {
      for (const field of fields.filter((one) => one.name === name)) {
        if (["radio", "checkbox"].includes(field.type)) field.checked = field.checked || field.value === value;
        else field.value = value;
      }
    }
  };

  // A second press of the same button within two seconds is a slip of the hand; another button was pressed too early, and the next page says so.
  let pressed = null;
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (pressed && pressed.form === event.target && Date.now() - pressed.at < 2000) {
      event.preventDefault();
      if (button !== pressed.button) sessionStorage.setItem("pressed-early", location.pathname);
    } else pressed = { form: event.target, button, at: Date.now() };
  });

  const sayPressedEarly = () => {
    const status = document.querySelector("[data-early]");
    const path = sessionStorage.getItem("pressed-early");
    sessionStorage.removeItem("pressed-early");
    if (path !== location.pathname) return;
    if (status) status.textContent = status.dataset.early;
    else say("A key was pressed while the page was loading: nothing was done.");
  };

  document.addEventListener("change", (event) => {
    const chosen = event.target.closest("[data-sends]");
    if (chosen) chosen.form.requestSubmit();
  });

  // The main button says the tablets that stand in the field.
  document.addEventListener("input", (event) => {
    const words = event.target.dataset.quantity !== undefined && document.querySelector("[data-follows-quantity]");
    if (!words) return;
    const count = event.target.value.trim() || "0";
    words.textContent = words.textContent.replace(/\S+ tablets?$/, `${count} tablet${count === "1" ? "" : "s"}`);
  });

  // A date field stands in the order of the browser's language; the words beside it leave no doubt about day and month.
  const inWords = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const sayDay = (field) => {
    if (field.closest(".d-bottom")) return; // it has no room
    let words = document.getElementById(`${field.id}_words`);
    if (!words) {
      words = document.createElement("output");
      words.id = `${field.id}_words`;
      words.className = "d-day-words d-small d-quiet";
      words.htmlFor = field.id;
      field.after(words);
    }
    words.textContent = field.valueAsDate ? inWords.format(field.valueAsDate) : "";
  };
  document.addEventListener("input", (event) => event.target.type === "date" && sayDay(event.target));

  // A label that cannot be printed has no picture; its words stand beside it.
  const sayNoPicture = (picture) => {
    const words = document.createElement("p");
    words.textContent = "This label cannot be printed. Write it by hand.";
    picture.replaceWith(words);
  };
  document.addEventListener("error", (event) => event.target.matches?.(".d-label-picture") && sayNoPicture(event.target), true);

  // A button that fills a field with what was computed.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-fill]");
    if (!button) return;
    const field = document.getElementById(button.dataset.fill);
    field.value = button.dataset.value;
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  document.addEventListener("htmx:afterSettle", (event) => settle(event.detail.elt));
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".d-label-picture").forEach((picture) => picture.complete && !picture.naturalWidth && sayNoPicture(picture));
    giveBack();
    document.querySelectorAll("input[type=date]").forEach(sayDay);
    settle(document);
    sayPressedEarly();
  });
})();
