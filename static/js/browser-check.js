/* Tells the readers of an old browser why nothing comes. No module, and in the JavaScript of 2009: they all run it. */
(function () {
  var knowsModules = "noModule" in document.createElement("script");
  // The newest of what the other scripts use: Chrome 97, Firefox 104, Safari 15.4 (README).
  var isRecent = "findLastIndex" in Array.prototype;
  if (!knowsModules || !isRecent) document.getElementById("too-old").removeAttribute("hidden");
})();
