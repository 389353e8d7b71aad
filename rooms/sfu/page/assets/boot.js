// For browsers too old to run the page: they cannot read the modules, and so it is this script, in the
// oldest JavaScript there is, that tells their users. It does nothing where main.js has begun.
(function () {
  'use strict';
  window.addEventListener('load', function () {
    if (document.documentElement.getAttribute('data-view')) return;
    var old = document.getElementById('view-old');
    document.documentElement.setAttribute('data-view', 'old');
    if (old) old.removeAttribute('hidden');
  });
})();
