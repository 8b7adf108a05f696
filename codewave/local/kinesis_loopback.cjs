// Loaded into the stream emulator before its own code: it would listen on every interface, and has no option for it.
"use strict";
const net = require("node:net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const callbacks = rest.filter((argument) => typeof argument === "function");
  return listen.call(this, port, "127.0.0.1", ...callbacks);
};
