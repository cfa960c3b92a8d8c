// The button of the patient's page that asks the browser for a subscription and posts it. The page works without.
"use strict";

for (const form of document.querySelectorAll("form[data-push]")) {
  const button = form.querySelector("button");
  const isAble = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  button.hidden = !isAble;
  form.querySelector("[data-push-none]").hidden = isAble;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const blocked = form.querySelector("[data-push-blocked]");
    button.disabled = true;
    try {
      if ((await Notification.requestPermission()) !== "granted") throw new Error("not allowed");
      await navigator.serviceWorker.register(form.dataset.worker);
      const registration = await navigator.serviceWorker.ready;
      const key = readKey(form.dataset.push);
      let subscription = await registration.pushManager.getSubscription();
      if (subscription && !hasKey(subscription, key)) {
        await subscription.unsubscribe();
        subscription = null;
      }
      subscription ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
      form.elements.subscription.value = JSON.stringify(subscription);
      form.submit();
    } catch {
      blocked.hidden = false;
      button.disabled = false;
    }
  });
}

function readKey(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (sign) => sign.charCodeAt(0));
}

function hasKey(subscription, key) {
  const own = new Uint8Array(subscription.options.applicationServerKey ?? []);
  return own.length === key.length && own.every((byte, place) => byte === key[place]);
}
