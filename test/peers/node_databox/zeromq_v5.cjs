/** ZeroMQ as node-databox knows it, put in the place of its own: a layer over the later version. */
module.exports = require("../../../zeromq/v5-compat");
