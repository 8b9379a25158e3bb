// Directus runs the scripts of its flows and of sandboxed extensions in isolates. There are none here, so nothing of this is called.
'use strict';

class Isolate {
  constructor() {
    throw new Error('there are no isolates here');
  }
}

module.exports = { Isolate };
