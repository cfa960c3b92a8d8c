// Shows a message of the pharmacy as a notification and opens the patient's page from it.
"use strict";

self.addEventListener("push", (event) => {
  const message = event.data.json();
  const options = {
    body: message.body,
    lang: message.language,
    dir: message.language === "ar" ? "rtl" : "ltr",
    tag: message.topic,
    renotify: Boolean(message.topic),
    data: { page: message.page, key: message.key },
  };
  event.waitUntil(self.registration.showNotification(message.title, options));
});

self.addEventListener("notificationclick", (event) => {
  const { page, key } = event.notification.data;
  const address = new URL(page, self.registration.scope);
  event.notification.close();
  event.waitUntil(
    Promise.allSettled([
      fetch(`${address}/opened`, { method: "POST", body: new URLSearchParams({ key }), keepalive: true }),
      self.clients.openWindow(address),
    ]),
  );
});
