// Says in words when a passkey could not be used; django-allauth's own script does the rest.
(function () {
  "use strict";
  function show(name) {
    document.querySelectorAll("[data-passkey-" + name + "]").forEach(function (note) { note.hidden = false; });
  }
  document.addEventListener("allauth.error", function (event) { event.preventDefault(); show("failed"); });
  document.addEventListener("DOMContentLoaded", function () { if (!window.PublicKeyCredential) show("none"); });
})();
