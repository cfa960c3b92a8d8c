// A signature by passkey: the page is asked for what the passkey signs, and sent with its answer. Without it the password signs.
"use strict";

(() => {
  const sign = async (button) => {
    const { form } = button;
    const fields = new FormData(form);
    fields.set("how", "passkey-begin");
    form.elements.passkey.value = "";
    try {
      const answer = await fetch(location.href, { method: "POST", body: fields });
      if (answer.ok) {
        const { options } = await answer.json();
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
        const credential = await navigator.credentials.get({ publicKey });
        form.elements.passkey.value = JSON.stringify(credential.toJSON());
      }
    } catch {
      // Cancelled, or no such passkey here: the page comes back and says so.
    }
    form.requestSubmit(button);
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) return;
    for (const button of document.querySelectorAll("[data-passkey]")) {
      button.hidden = false;
      button.addEventListener("click", (event) => {
        event.preventDefault();
        sign(button);
      });
    }
  });
})();
