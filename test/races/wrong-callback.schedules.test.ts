/** Why a device's blocks have a callback of their own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findFailure, runInEveryOrder } from "./all.ts";
import { wrongCallback } from "./move-and-buffers.ts";

test(wrongCallback.name, () => {
  runInEveryOrder(wrongCallback);
  assert.match(findFailure(wrongCallback)?.message ?? "", /the bytes are lost/);
});
